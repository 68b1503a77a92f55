"""What sft and dpo stages have in common, with Axolotl itself: data made ready beforehand, and interrupted runs."""

import dataclasses
import shutil
import signal
from pathlib import Path

import pytest

from engine import dpo_runs, sft_runs
from engine.dpo_runs import OVERLONG, PAIRS
from engine.sft_runs import LENGTH, READ_MODELS, ROWS, ask, curve
from engine.stage_runs import StageRun
from engine.tuning_runs import DPO, KEPT, PLACE, SECONDS, SFT, Interrupted, Kind, Through, TuningRuns, only_prepared
from trainingrun_workers.contract import ExitCode
from trainingrun_workers.volume import read_marker

# What the log has of work on the data, of Axolotl, of packing, and of TRL.
WORK = {
    "sft": ("Unable to find prepared dataset", "packing 298 rows into sequences of 128 tokens"),
    "dpo": ("Unable to find prepared dataset", "tokenizing 57 pairs of answers"),
}
GIVEN = {"sft": (ROWS, 2, "conversations"), "dpo": (PAIRS, len(OVERLONG), "pairs of answers")}


@pytest.fixture(scope="module", params=[SFT, DPO], ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    made: Kind = request.param
    return made


@pytest.fixture
def through(kind: Kind, tuning: TuningRuns) -> Through:
    return tuning.of(kind)[0]


@pytest.fixture
def interrupted(kind: Kind, tuning: TuningRuns) -> Interrupted:
    return tuning.of(kind)[1]


def test_overlong_rows_are_counted_and_told(through: Through) -> None:
    output, snapshot = read_marker(through.run.volume / through.run.folder), through.run.snapshot()
    rows, dropped, name = GIVEN[through.kind.name]

    assert output is not None
    assert (output["rows"], output["dropped"], output["overlong"]) == (rows, dropped, dropped)
    assert snapshot["notes"] == [
        f"{dropped} of {rows} {name} are longer than sequence_len {LENGTH} and were dropped: raise it to train on them."
    ]
    steps = through.kind.steps
    assert (snapshot["step"], snapshot["total"], snapshot["counts"]["dropped"]) == (steps, steps, dropped)


def test_the_model_is_whole(through: Through) -> None:
    model = through.run.volume / through.run.folder / "model"

    assert {path.name for path in model.iterdir()} == {
        "COMPLETE.json", "chat_template.jinja", "config.json", "generation_config.json", "model.safetensors",
        "tokenizer.json", "tokenizer_config.json",
    }  # fmt: skip
    assert all(path.stat().st_mode & 0o040 for path in model.iterdir())
    assert not list((through.run.volume / through.run.folder).glob("prepared-*"))


def test_the_models_load_with_their_chat_template(tuning: TuningRuns) -> None:
    models = [run.volume / run.folder / "model" for run in (tuning.of(kind)[0].run for kind in (SFT, DPO))]

    asked = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    assert ask(tuning.python, READ_MODELS, *models) == [asked, asked]


def test_what_was_prepared_without_a_gpu_is_ready_and_nothing_is_made_again(
    through: Through, interrupted: Interrupted
) -> None:
    rows, dropped, _ = GIVEN[through.kind.name]

    assert (through.prepared.output["rows"], through.prepared.output["dropped"]) == (rows, dropped)
    assert not list((through.run.volume / PLACE).glob("prepared-*")), "the gang has taken them"
    for words in WORK[through.kind.name]:
        assert words in through.prepare_log
        assert words in interrupted.first_log, "a gang without it does that itself"
        assert words not in through.run.log()


def test_a_killed_rank_is_tried_again(interrupted: Interrupted) -> None:
    killed = interrupted.early[signal.SIGKILL]
    assert (killed.exit_code, killed.reason) == (ExitCode.RETRY, "RankLost")


def test_a_stop_saves_the_step_that_it_comes_in(interrupted: Interrupted, kind: Kind) -> None:
    stopped, asked = interrupted.early[signal.SIGTERM], kind.interruptions[-1][0]

    assert (stopped.exit_code, stopped.reason) == (ExitCode.PREEMPTED, "Preempted")
    assert asked <= (stopped.step or 0) < kind.steps
    assert f"step {stopped.step}/{kind.steps}" not in interrupted.log
    assert f"step {(stopped.step or 0) + 1}/{kind.steps}" in interrupted.log
    assert interrupted.marker is None


def test_a_resumed_run_ends_as_the_uninterrupted_one(interrupted: Interrupted, through: Through) -> None:
    assert interrupted.done.reason == "Completed"
    assert curve(interrupted.run) == curve(through.run)
    assert interrupted.done.output == read_marker(through.run.volume / through.run.folder)
    weights = [run.volume / run.folder / "model/model.safetensors" for run in (interrupted.run, through.run)]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_an_empty_checkpoint_is_cleared_away(interrupted: Interrupted) -> None:
    assert not (interrupted.run.volume / interrupted.run.folder / "checkpoints/checkpoint-99").exists()


def test_a_run_that_was_killed_before_its_model_was_saved_saves_it_though_what_was_prepared_is_damaged(
    tuning: TuningRuns, tmp_path: Path
) -> None:
    trained = tuning.of(SFT)[0].run
    shutil.copytree(trained.volume, tmp_path / "volume")
    run = StageRun(trained.python, "sft", tmp_path / "volume", SFT.folder)
    (run.volume / run.folder / "COMPLETE.json").unlink()
    shutil.rmtree(run.volume / run.folder / "model")
    rows = next(only_prepared(run, KEPT).glob("*/*.arrow"))
    rows.write_bytes(rows.read_bytes()[:-1])

    assert run.run(dataclasses.replace(SFT.spec(), prepared=KEPT), SECONDS).reason == "Completed"
    assert rows.exists(), "damaged data are not taken"
    weights = [one.volume / one.folder / "model/model.safetensors" for one in (run, trained)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert read_marker(run.volume / run.folder) == read_marker(trained.volume / trained.folder)


def test_what_is_no_template_is_refused(kind: Kind, tuning: TuningRuns, tmp_path: Path) -> None:
    run = dpo_runs.make_stage(tuning.python, tuning.base, tmp_path, kind.name, kind.folder)
    broken = {"chat_template_jinja": "{% for message in messages %}{{ message.content }"}
    if kind is SFT:
        broken["datasets"] = [{**sft_runs.CONFIG["datasets"][0], "path": "pairs.jsonl"}]

    result = run.run(kind.spec(**broken))

    assert (result.exit_code, result.reason) == (ExitCode.BAD_CONFIG, "TemplateInvalid")
    assert result.message.startswith("chat_template_jinja is no template (")
