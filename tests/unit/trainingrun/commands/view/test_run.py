"""A run in the terminal: at any width, with much or nothing to tell, with and without colour."""

import io
import math
from typing import Any

import pytest
from rich.console import Console

from builders import START, World, a_manifest
from trainingrun.commands.manifest import CommandError
from trainingrun.commands.view.run import RunView, line, table
from trainingrun_workers.contract import Result

NOW = START + 7200.0


def drawn(picture: Any, width: int = 100, **console: Any) -> str:
    said = io.StringIO()
    Console(width=width, highlight=False, file=said, **console).print(picture)
    return said.getvalue()


def training() -> World:
    """A run that trains, after a crash, with two checkpoints of which one is evaluated."""
    manifest = a_manifest("zagreus")
    world = World(manifest).settle().completes("tokenize").settle()
    for step in range(10, 400, 30):
        loss = 2 + 4 * math.exp(-step / 80)
        world.wait(12).reports("pretrain", step=step, total=900, loss=loss, checkpoint=step // 300 * 300).settle()
    message = "Rank 3 ended with exit code 1: CUDA error: an illegal memory access was encountered."
    world.fails("pretrain", 1, Result(1, "RankCrashed", message, step=300)).wait(6).wait(60)
    world.reports(
        "pretrain", step=450, total=900, loss=2.1, tokens_per_second=12000.0, eta_seconds=9000.0, checkpoint=300,
        checkpoints=(0, 300),
    ).settle()  # fmt: skip
    while world.stage("convert").phase == "Running":
        world.finishes_batch("convert")
    return world.finishes_batch("evaluate")


def test_what_a_preflight_measured_and_found_is_shown_with_the_nodes_that_are_avoided_and_why() -> None:
    world = World(a_manifest("zagreus")).settle().completes("tokenize").settle()
    flown = {"measured": "matrix product 100 TFLOP/s (median 600)", "found": "Nodes n1 and n3 let the gang down."}
    world.reports("pretrain", step=0, total=900, preflight=flown)
    words = Result(75, "BadNode", flown["found"], output={"node": "n1", "nodes": ["n1", "n3"]})
    world.fails("pretrain", 75, words).settle()
    said = drawn(RunView(world.manifest, NOW))
    assert "pretrain: pre-flight of attempt 1: matrix product 100 TFLOP/s (median 600)" in said
    assert "pretrain: found before attempt 1: Nodes n1 and n3 let the gang down." in said
    assert "Avoided nodes: n1, n3\n  n1, n3: Nodes n1 and n3 let the gang down." in said
    assert any("pretrain 1" in one and "BadNode" in one and "n1, n3" in one for one in said.splitlines())
    done = world.wait(400).completes("pretrain").settle()
    assert "pre-flight" not in drawn(RunView(done.manifest, NOW)), "of no matter any more"


@pytest.fixture(scope="module")
def run() -> dict[str, Any]:
    made = training().manifest
    made["status"]["gpuHours"] = {"useful": 1234.5, "lost": {"NodeLost": 12.5, "Preempted": 1.1}}
    return made


def test_a_run_is_told_by_its_stages_its_loss_its_attempts_checkpoints_and_gpu_hours(run: dict[str, Any]) -> None:
    said = drawn(RunView(run, NOW))
    lines = said.splitlines()
    assert lines[0].startswith("zagreus  ● Running  namespace default, made 2h0m ago, 1 restart")
    (pretrain,) = (one for one in lines if one.startswith("●  pretrain"))
    assert "50%" in pretrain and "450/900 steps" in pretrain and "left" in pretrain and "1 restart" in pretrain
    assert any(one.startswith("✔  tokenize") and "done" in one for one in lines)
    assert any("pretrain: loss 5.530 █" in one and "2.100  12,000 tokens/s  checkpoint 300" in one for one in lines)
    assert any("pretrain 1" in one and "Crashed" in one and "safe to step 300" in one for one in lines)
    assert "GPU-hours  1,234 useful (98.9%), 13.6 lost (NodeLost 12.5, Preempted 1.1)" in said
    assert any(one.split() == ["300", "evaluated", "0.3"] for one in lines)


@pytest.mark.parametrize("width", [40, 60, 79, 80, 120, 300])
def test_no_line_is_longer_than_the_terminal(width: int, run: dict[str, Any]) -> None:
    for picture in (RunView(run, NOW), RunView(run, NOW, everything=True)):
        said = drawn(picture, width)
        assert max(len(one) for one in said.splitlines()) <= width
        assert "pretrain" in said
        assert "50%" in said


def test_a_run_without_metrics_and_one_that_nobody_has_looked_at_are_told_in_words() -> None:
    assert "The operator has not looked at this run yet." in drawn(RunView(World().manifest, START))
    world = World(a_manifest()).settle().completes("tokenize").settle()
    said = drawn(RunView(world.manifest, START))
    assert "pretrain: no metrics yet" in said
    assert "GPU-hours" not in said
    assert "Checkpoints" not in said


def test_of_ten_thousand_checkpoints_ten_have_a_line(run: dict[str, Any]) -> None:
    """The status has the newest forty."""
    scores = {f"task-{n}/acc": 0.5 for n in range(30)}
    many = [{"step": step, "converted": True, "scores": scores} for step in range(9_960, 10_000)]
    crowded = {**run, "status": {**run["status"], "checkpoints": many}}
    said = drawn(RunView(crowded, NOW))
    assert said.count("evaluated") == 10
    assert "and 30 older checkpoints, 25 more tasks: --all" in said
    assert len(said.splitlines()) < 50


def test_what_a_person_must_do_comes_first() -> None:
    world = World(a_manifest()).settle()
    world.fails("tokenize", 65, Result(65, "SourceMissing", "Source wiki is not at data/wiki.")).settle()
    said = drawn(RunView(world.manifest, NOW))
    lines = said.splitlines()
    assert "✘ Failed" in lines[0]
    assert lines[1].startswith("Failed is True: SourceMissing") or lines[1].startswith("Failed is True")
    assert "tokenize: SourceMissing: Source wiki is not at data/wiki." in " ".join(said.split())


def test_no_colour_is_no_colour_and_a_terminal_has_some(run: dict[str, Any]) -> None:
    assert "\x1b[3" in drawn(RunView(run, NOW), force_terminal=True, color_system="standard")
    assert "\x1b[3" not in drawn(RunView(run, NOW), force_terminal=True, no_color=True)


def test_words_of_the_cluster_are_never_taken_for_markup(run: dict[str, Any]) -> None:
    odd = {**run, "status": {**run["status"], "warnings": ["[bold]optimizer[/] is [/red] ignored"]}}
    assert "Warning: [bold]optimizer[/] is [/red] ignored" in drawn(RunView(odd, NOW))


def test_a_status_of_a_newer_operator_is_told_as_far_as_it_is_known(run: dict[str, Any]) -> None:
    newer = {**run, "status": {**run["status"], "moon": "full"}}
    assert "450/900 steps" in drawn(RunView(newer, NOW))
    unreadable = {**run, "status": {**run["status"], "phase": "Dreaming"}}
    with pytest.raises(CommandError, match=r"The status of zagreus is of another version .*\(status.phase\)"):
        drawn(RunView(unreadable, NOW))


def test_all_runs_are_a_line_each(run: dict[str, Any]) -> None:
    suspended = a_manifest("b" * 32, suspend=True)
    said = drawn(table([run, suspended], NOW, 100, everywhere=True))
    header, first, second = (one.split() for one in said.splitlines())
    assert header == ["namespace", "run", "phase", "stage", "done", "loss", "left", "age"]
    assert first[:6] == ["default", "zagreus", "●", "Running", "pretrain", "50%"]
    assert second[:4] == ["default", "b" * 32, "❚❚", "Suspended"]
    assert max(len(one) for one in drawn(table([run, suspended], NOW, 60, False), 60).splitlines()) <= 60


def test_a_watch_in_a_pipe_is_a_line_a_change(run: dict[str, Any]) -> None:
    assert line(run, NOW) == "zagreus Running pretrain 450/900 loss 2.100 2h30m left"
