"""What pods have printed: from the cluster while they are there, from the volume afterwards, in the order of time."""

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from trainingrun.cli import main
from trainingrun.commands.logs import live
from trainingrun.commands.logs.choice import Choice, kept, newest, pod_source
from trainingrun.commands.logs.lines import Source, merged, parsed, read, seconds
from trainingrun.commands.logs.live import Following
from trainingrun.commands.refusals import UnreachableError
from unit.trainingrun.commands.world import World, a_pod

Capture = pytest.CaptureFixture[str]
NOON = "2026-11-29T12:00:"
PRETRAIN = Source("pretrain", 1, 0)


def at(second: float, text: str) -> str:
    """A line as `kubectl logs --timestamps` has it."""
    return f"{NOON}{second:09.6f}Z {text}"


def status(phase: str = "Running", **stages: str) -> dict[str, Any]:
    known = [{"name": name, "kind": name, "phase": one, "attempt": 1} for name, one in stages.items()]
    return {"phase": phase, "stages": known}


def test_lines_of_all_ranks_come_in_the_order_of_time_behind_their_rank(world: World, capsys: Capture) -> None:
    world.add_run(status=status(pretrain="Running"))
    world.add_pod(a_pod("m", "pretrain", 2), at(1, "[rank 0] one"), at(3, "[rank 1] three"), at(5, "torchrun ends"))
    world.add_pod(a_pod("w", "pretrain", 2, 1), at(2, "[rank 2] two"), at(4, "[rank 3] four"))
    assert main(["logs", "tiny"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "pretrain a2 r0 | one", "pretrain a2 r2 | two", "pretrain a2 r1 | three", "pretrain a2 r3 | four",
        "pretrain a2 p0 | torchrun ends",
    ]  # fmt: skip
    assert world.visits == 0


def test_one_rank_alone_and_as_json(world: World, capsys: Capture) -> None:
    world.add_run(status=status(pretrain="Running"))
    world.add_pod(a_pod("m", "pretrain", 1), at(1, "[rank 0] one"), at(2, "[rank 1] two [of] 3"), at(3, "main"))
    assert main(["logs", "tiny", "pretrain", "--rank", "1", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "time": f"{NOON}02.000Z", "stage": "pretrain", "attempt": 1, "pod": 0, "rank": 1, "text": "two [of] 3",
    }  # fmt: skip
    assert main(["logs", "tiny", "--timestamps", "--rank", "0"]) == 0
    assert capsys.readouterr().out == f"{NOON}01.000Z pretrain a1 r0 | one\n"


def test_each_line_as_a_yaml_document(world: World, capsys: Capture) -> None:
    world.add_run(status=status(pretrain="Running"))
    world.add_pod(a_pod("m", "pretrain", 1), at(1, "[rank 0] one: - 2"), at(2, "[rank 1] ---"))
    assert main(["logs", "tiny", "-o", "yaml"]) == 0
    told = list(yaml.safe_load_all(capsys.readouterr().out))
    assert [(one["rank"], one["text"]) for one in told] == [(0, "one: - 2"), (1, "---")]


def test_the_pods_of_a_job_are_told_by_their_index(world: World, capsys: Capture) -> None:
    world.add_run(status=status(tokenize="Running"))
    world.add_pod(a_pod("a", "tokenize", 1, 7), at(1, "seven"))
    world.add_pod(a_pod("b", "tokenize", 1, 2), at(2, "[rank 9] is no prefix here"))
    assert main(["logs", "tiny", "--rank", "2"]) == 0
    assert capsys.readouterr().out == "tokenize a1 p2 | [rank 9] is no prefix here\n"


def keep(world: World, name: str, *lines: str) -> None:
    run = next(iter(world.runs.values()))["metadata"]
    world.put(f"runs/default/{run['name']}-{run['uid'][:8]}/logs/{name}", "".join(f"{line}\n" for line in lines))


def test_of_a_run_that_has_ended_each_stages_newest_attempt_comes_from_the_volume(
    world: World, capsys: Capture
) -> None:
    world.add_run(status=status("Succeeded", tokenize="Succeeded", pretrain="Succeeded"))
    keep(world, "tokenize-a1-0.log", at(1, "tokens"))
    keep(world, "pretrain-a1-0.log", at(2, "[rank 0] lost"))
    keep(world, "pretrain-a2-0.log.1", at(3, "[rank 0] again"))
    keep(world, "pretrain-a2-0.log", at(5, "[rank 0] done"))
    keep(world, "pretrain-a2-1.log", at(4, "[rank 1] too"))
    assert main(["logs", "tiny"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "tokenize a1 p0 | tokens", "pretrain a2 r0 | again", "pretrain a2 r1 | too", "pretrain a2 r0 | done",
    ]  # fmt: skip
    assert (world.visits, world.left) == (1, [])
    assert main(["logs", "tiny", "pretrain", "--attempt", "1"]) == 0
    assert capsys.readouterr().out == "pretrain a1 r0 | lost\n"


def test_past_attempts_of_a_run_that_goes_on_come_together_with_its_pods(world: World, capsys: Capture) -> None:
    world.add_run(status=status(pretrain="Running"))
    keep(world, "pretrain-a1-0.log", at(1, "[rank 0] lost"))
    keep(world, "pretrain-a2-0.log", at(3, "[rank 0] the copy of what the pod says"))
    world.add_pod(a_pod("m", "pretrain", 2), at(3, "[rank 0] now"))
    assert main(["logs", "tiny", "pretrain", "--attempt", "all"]) == 0
    assert capsys.readouterr().out.splitlines() == ["pretrain a1 r0 | lost", "pretrain a2 r0 | now"]
    assert main(["logs", "tiny", "pretrain"]) == 0
    assert capsys.readouterr().out == "pretrain a2 r0 | now\n"
    assert world.visits == 1


def test_since_leaves_out_what_is_older_wherever_it_lies(
    world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add_run(status=status(pretrain="Running"))
    keep(world, "pretrain-a1-0.log", at(1, "[rank 0] old"), at(31, "[rank 0] lost"))
    world.add_pod(a_pod("m", "pretrain", 2), at(20, "[rank 0] older"), at(40, "[rank 0] now"))
    monkeypatch.setattr("trainingrun.commands.logs.time.time", lambda: parsed(at(50, ""), PRETRAIN, 0).time)
    assert main(["logs", "tiny", "--since", "20s"]) == 0
    assert capsys.readouterr().out.splitlines() == ["pretrain a1 r0 | lost", "pretrain a2 r0 | now"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["tiny", "pretrian"], 4, "Run tiny has no stage pretrian: did you mean pretrain?\n"),
        (["tiny", "--since", "yesterday"], 2, "--since takes a time such as 30s, 10m, 2h or 3d, and not yesterday.\n"),
        (["tiny", "--attempt", "last"], 2, "--attempt takes a number from 1 on, or all, and not last.\n"),
        (["tiny"], 4, "Run tiny has no pods, and none has left a log on its volume. It is Running.\n"),
        (
            ["tiny", "--attempt", "7"],
            4,
            "Nothing that run tiny has printed fits: ask for less, or use --attempt all.\n",
        ),
    ],
)
def test_what_is_not_there_is_one_sentence(
    words: list[str], code: int, said: str, world: World, capsys: Capture
) -> None:
    world.add_run(status=status(pretrain="Waiting"))
    assert main(["logs", *words]) == code
    assert capsys.readouterr().err == said


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(live, "HOLD_SECONDS", 0.1)
    monkeypatch.setattr(live, "RECONNECT_SECONDS", 0.01)


def end(world: World, **stages: str) -> None:
    world.runs["tiny"]["status"] = status("Succeeded", **stages)


@pytest.mark.usefixtures("quick")
def test_following_goes_on_over_a_restart_until_the_run_has_ended(world: World) -> None:
    world.add_run(status=status(pretrain="Running"))
    world.add_pod(a_pod("m1", "pretrain", 1, phase="Failed"), at(1, "[rank 0] of the first attempt"))
    found: list[str] = []

    def follow() -> None:
        for line in Following(world, "tiny", Choice()).lines():  # type: ignore[arg-type]
            found.append(f"{line.label} {line.text}")

    thread = threading.Thread(target=follow)
    thread.start()
    wait_for(lambda: found)
    world.pods.clear()  # as the operator does when an attempt has ended
    world.add_pod(a_pod("m2", "pretrain", 2, phase="Succeeded"), at(2, "[rank 0] of the second"), at(3, "main"))
    wait_for(lambda: len(found) == 3)
    end(world, pretrain="Succeeded")
    thread.join(10)
    assert not thread.is_alive()
    assert found == ["pretrain a1 r0 of the first attempt", "pretrain a2 r0 of the second", "pretrain a2 p0 main"]


def wait_for(what: Any, limit: float = 10) -> None:
    deadline = time.monotonic() + limit
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.usefixtures("quick")
def test_a_connection_that_is_lost_shows_no_line_twice_and_none_less(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add_run(status=status(pretrain="Running"))
    lines = [at(1, "[rank 0] a"), at(2, "[rank 0] b"), at(2, "[rank 1] c"), at(3, "[rank 0] d")]
    world.add_pod(a_pod("m", "pretrain", 1), *lines)
    asked: list[str | None] = []

    def log_lines(pod: str, **options: str) -> Iterator[str]:
        asked.append(options.get("sinceTime"))
        yield from lines[: len(asked) + 1]
        if len(asked) == 3:
            world.pods["m"][0]["status"]["phase"] = "Succeeded"
            end(world, pretrain="Succeeded")
            return
        raise UnreachableError("lost")

    monkeypatch.setattr(world, "log_lines", log_lines)
    found = [line.text for line in Following(world, "tiny", Choice()).lines()]  # type: ignore[arg-type]
    assert found == ["a", "b", "c", "d"]
    assert asked == [None, f"{NOON}02.000Z", f"{NOON}02.000Z"]


@pytest.mark.usefixtures("quick")
def test_a_node_and_an_api_server_that_do_not_answer_do_not_end_following(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add_run(status=status(pretrain="Running"))
    world.add_pod(a_pod("m1", "pretrain", 1), at(1, "[rank 0] a"))
    world.add_pod(a_pod("m2", "pretrain", 2), at(2, "[rank 0] b"))
    looked = list[str]()

    def log_lines(pod: str, **options: str) -> Iterator[str]:
        if pod == "m1":
            world.pods["m1"][0]["status"]["phase"] = "Failed"
            raise UnreachableError("no route to the node")
        world.pods["m2"][0]["status"]["phase"] = "Succeeded"
        end(world, pretrain="Succeeded")
        return iter(world.pods["m2"][1])

    def run(name: str) -> Any:
        looked.append(name)
        if len(looked) == 1:
            raise UnreachableError("the API server starts anew")
        return world.runs[name]

    monkeypatch.setattr(world, "log_lines", log_lines)
    monkeypatch.setattr(world, "run", run)
    assert [line.text for line in Following(world, "tiny", Choice()).lines()] == ["b"]  # type: ignore[arg-type]


@pytest.mark.usefixtures("quick")
def test_following_one_attempt_ends_with_it(world: World) -> None:
    run = status(pretrain="Running") | {"attempts": [{"stage": "pretrain", "number": 1, "endedAt": f"{NOON}09Z"}]}
    world.add_run(status=run)
    world.add_pod(a_pod("m", "pretrain", 1, phase="Failed"), at(1, "[rank 0] a"))
    world.add_pod(a_pod("n", "pretrain", 2), at(2, "[rank 0] b"))
    found = [line.text for line in Following(world, "tiny", Choice("pretrain", 1)).lines()]  # type: ignore[arg-type]
    assert found == ["a"]


def test_following_a_run_that_has_ended_shows_what_there_is(world: World, capsys: Capture) -> None:
    world.add_run(status=status("Succeeded", pretrain="Succeeded"))
    keep(world, "pretrain-a1-0.log", at(1, "[rank 0] done"))
    assert main(["logs", "tiny", "-f"]) == 0
    assert capsys.readouterr().out == "pretrain a1 r0 | done\n"


@pytest.mark.parametrize("stamp", ["2026-11-29T12:00:01.5Z", "2026-11-29T13:00:01.500000001+01:00"])
def test_times_of_any_node_are_understood(stamp: str) -> None:
    assert parsed(f"{stamp} text", PRETRAIN, 0.0).time == parsed(at(1.5, "x"), PRETRAIN, 0.0).time


def test_a_line_without_a_time_stays_behind_the_one_before_it() -> None:
    first = [at(1, "[rank 0] a"), "unable to read the rest", at(3, "[rank 0] c")]
    other = read([at(2, "[rank 1] b")], Source("pretrain", 1, 1))
    assert [line.text for line in merged([read(first, PRETRAIN), other])] == [
        "a", "unable to read the rest", "b", "c",
    ]  # fmt: skip


def test_a_clock_that_is_set_back_does_not_mix_up_a_log() -> None:
    lines = read([at(5, "a"), at(1, "b"), at(6, "c")], Source("convert", 1, 0))
    assert [line.text for line in merged([lines])] == ["a", "b", "c"]


@pytest.mark.parametrize(("span", "long"), [("30s", 30), ("10m", 600), ("2h", 7200), ("3d", 259_200)])
def test_spans_of_time(span: str, long: int) -> None:
    assert seconds(span) == long


def test_a_pod_without_the_labels_of_an_attempt_is_none() -> None:
    pod = a_pod("m", "pretrain", 1, 3)
    assert pod_source(pod) == Source("pretrain", 1, 3)
    pod["metadata"]["labels"]["trainingrun.dev/attempt"] = "x"
    assert pod_source(pod) is None


def test_the_newest_attempt_is_that_of_each_stage() -> None:
    sources = [Source("convert", 3, 0), Source("convert", 12, 0), Source("pretrain", 1, 0), Source("pretrain", 1, 1)]
    assert newest(sources, Choice()) == sources[1:]
    assert newest(sources, Choice(attempt="all")) == sources
    logs = [{"stage": "convert", "attempt": 3, "index": 0, "file": "old"}]
    assert kept(logs, Choice(), [Source("convert", 12, 0)]) == []


def test_ctrl_c_and_a_reader_that_has_seen_enough_are_no_errors(
    world: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add_run(status=status(pretrain="Running"))
    world.add_pod(a_pod("m", "pretrain", 1), at(1, "[rank 0] a"))
    reader, writer = os.pipe()
    os.close(reader)
    with monkeypatch.context() as patch, contextlib.suppress(BrokenPipeError), os.fdopen(writer, "w") as broken:
        patch.setattr(sys, "stdout", broken)
        assert main(["logs", "tiny"]) == 0

    def interrupted(pod: str, **options: str) -> Iterator[str]:
        raise KeyboardInterrupt

    monkeypatch.setattr(world, "log_lines", interrupted)
    assert main(["logs", "tiny"]) == 130
    assert capsys.readouterr().err == ""


def test_a_thousand_lines_a_second_are_shown_as_they_are(world: World, capsys: Capture, tmp_path: Path) -> None:
    world.add_run(status=status(pretrain="Running"))
    for index in range(4):
        world.add_pod(
            a_pod(f"p{index}", "pretrain", 1, index), *(at(n / 100, f"[rank {index}] {n}") for n in range(500))
        )
    assert main(["logs", "tiny"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 2000
    assert [int(line.rpartition(" ")[2]) for line in shown] == sorted(list(range(500)) * 4)
