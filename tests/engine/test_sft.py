"""The sft stage with Axolotl itself: what it trains on, what it leaves, and that an interrupted run is the same run."""

import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engine.pretrain_runs import wait_until
from engine.sft_runs import (
    BASE,
    FOLDER,
    LENGTH,
    READ_LABELS,
    READ_MODEL,
    ROWS,
    STEPS,
    ask,
    curve,
    make_base,
    make_stage,
    rank,
    snapshot_text,
    spec,
    start,
)  # fmt: skip
from engine.stage_runs import StageRun
from trainingrun_workers.contract import ExitCode, Result
from trainingrun_workers.volume import read_marker

EnginePython = Callable[[str], Path]


@pytest.fixture(scope="module")
def base(engine_python: EnginePython, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model that all stages here start from."""
    return make_base(engine_python("axolotl"), tmp_path_factory.mktemp("base"))


@pytest.fixture
def stage(base: Path, engine_python: EnginePython, tmp_path: Path) -> StageRun:
    return make_stage(engine_python("axolotl"), base, tmp_path)


@pytest.fixture(scope="module")
def trained(base: Path, engine_python: EnginePython, tmp_path_factory: pytest.TempPathFactory) -> StageRun:
    """A run to the end without interruption; not to be changed."""
    run = make_stage(engine_python("axolotl"), base, tmp_path_factory.mktemp("trained"))
    assert run.run(spec()).reason == "Completed"
    return run


@dataclass
class Interrupted:
    """A run that was killed, interrupted and told to stop before it came to its end."""

    run: StageRun
    killed: Result
    labels: list[str]  # the text of each prepared row that is trained on
    interrupted: Result
    stopped: Result
    done_before: dict[str, Any] | None  # the stage's marker as it was then
    done: Result
    log: str  # of the last attempt


@pytest.fixture(scope="module")
def interrupted(base: Path, engine_python: EnginePython, tmp_path_factory: pytest.TempPathFactory) -> Interrupted:
    run = make_stage(engine_python("axolotl"), base, tmp_path_factory.mktemp("interrupted"))
    folder = run.volume / FOLDER
    pod = start(run, until_step=13)
    os.kill(rank(pod), signal.SIGKILL)
    killed = pod.wait()
    labels = ask(run.python, READ_LABELS, next(folder.glob("prepared-*")), run.volume / BASE)
    (folder / "checkpoints/checkpoint-99").mkdir()
    pod = start(run, until_step=17)
    os.kill(rank(pod), signal.SIGINT)
    after_int = pod.wait()
    pod = start(run, until_step=36)
    pod.process.terminate()
    stopped = pod.wait()
    marker = read_marker(folder)
    done = run.run(spec())
    return Interrupted(run, killed, labels, after_int, stopped, marker, done, run.log())


def test_the_loss_falls_and_the_stage_says_what_it_did(trained: StageRun) -> None:
    output = read_marker(trained.volume / FOLDER)

    assert output is not None
    assert output["loss"] == curve(trained)[-1]["loss"] < output["firstLoss"] - 3
    assert [line["step"] for line in curve(trained)] == list(range(1, STEPS + 1))
    assert (output["steps"], output["tokens"]) == (STEPS, curve(trained)[-1]["tokens"])
    assert 0 < output["trainedTokens"] < output["tokens"]
    assert (output["axolotlVersion"], output["cpu"]) == ("0.19.0", True)


def test_overlong_conversations_are_counted_and_told(trained: StageRun) -> None:
    output, snapshot = read_marker(trained.volume / FOLDER), trained.snapshot()

    assert output is not None
    assert (output["rows"], output["dropped"], output["overlong"]) == (ROWS, 2, 2)
    assert snapshot["notes"] == [
        f"2 of {ROWS} conversations are longer than sequence_len {LENGTH} and were dropped: raise it to train on them."
    ]
    assert (snapshot["step"], snapshot["total"], snapshot["counts"]["dropped"]) == (STEPS, STEPS, 2)


def test_the_model_is_whole_and_loads_with_its_chat_template(trained: StageRun) -> None:
    model = trained.volume / FOLDER / "model"

    assert ask(trained.python, READ_MODEL, model) == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    assert {path.name for path in model.iterdir()} == {
        "COMPLETE.json", "chat_template.jinja", "config.json", "generation_config.json", "model.safetensors",
        "tokenizer.json", "tokenizer_config.json",
    }  # fmt: skip
    assert all(path.stat().st_mode & 0o040 for path in model.iterdir())
    assert not list((trained.volume / FOLDER).glob("prepared-*"))


def test_old_checkpoints_are_removed(trained: StageRun) -> None:
    assert sorted(path.name for path in (trained.volume / FOLDER / "checkpoints").glob("checkpoint-*")) == [
        "checkpoint-50", "checkpoint-60",
    ]  # fmt: skip


def test_only_the_assistants_words_and_their_end_are_trained_on(interrupted: Interrupted) -> None:
    assert len(interrupted.labels) == ROWS - 2
    assert set(interrupted.labels) == {
        f"{f'It is {word}. ' * times}<|im_end|>Still {word}.<|im_end|>"
        for word in ("red", "green", "blue")
        for times in (1, 2)
    }


def test_a_killed_rank_is_tried_again(interrupted: Interrupted) -> None:
    assert (interrupted.killed.exit_code, interrupted.killed.reason) == (ExitCode.RETRY, "RankLost")


def test_a_run_that_was_interrupted_half_trained_is_not_called_done(interrupted: Interrupted) -> None:
    assert (interrupted.interrupted.exit_code, interrupted.interrupted.reason) == (ExitCode.PREEMPTED, "Preempted")
    assert interrupted.done_before is None
    assert 17 <= (interrupted.interrupted.step or 0) < 36


def test_a_stop_saves_the_step_that_it_comes_in(interrupted: Interrupted) -> None:
    assert (interrupted.stopped.exit_code, interrupted.stopped.reason) == (ExitCode.PREEMPTED, "Preempted")
    assert 36 <= (interrupted.stopped.step or 0) < STEPS
    assert f"step {interrupted.stopped.step}/{STEPS}" not in interrupted.log
    assert f"step {(interrupted.stopped.step or 0) + 1}/{STEPS}" in interrupted.log


def test_a_resumed_run_ends_as_the_uninterrupted_one(interrupted: Interrupted, trained: StageRun) -> None:
    assert interrupted.done.reason == "Completed"
    assert curve(interrupted.run) == curve(trained)
    assert interrupted.done.output == read_marker(trained.volume / FOLDER)
    weights = [run.volume / FOLDER / "model/model.safetensors" for run in (interrupted.run, trained)]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_an_empty_checkpoint_is_cleared_away(interrupted: Interrupted) -> None:
    assert not (interrupted.run.volume / FOLDER / "checkpoints/checkpoint-99").exists()


def test_a_run_that_was_killed_before_its_model_was_saved_saves_it(trained: StageRun, tmp_path: Path) -> None:
    shutil.copytree(trained.volume, tmp_path / "volume")
    run = StageRun(trained.python, "sft", tmp_path / "volume", FOLDER)
    (run.volume / FOLDER / "COMPLETE.json").unlink()
    shutil.rmtree(run.volume / FOLDER / "model")

    assert run.run(spec()).reason == "Completed"
    weights = [one.volume / FOLDER / "model/model.safetensors" for one in (run, trained)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert read_marker(run.volume / FOLDER) == read_marker(trained.volume / FOLDER)


def test_a_stop_before_training_ends_the_pod_at_once(stage: StageRun) -> None:
    pod = stage.start(spec())
    wait_until(lambda: pod.process.poll() is not None or "loading Axolotl" in snapshot_text(stage))
    pod.process.terminate()

    result = pod.wait(10)

    assert (result.exit_code, result.reason, result.step) == (ExitCode.PREEMPTED, "Preempted", None)
    assert "before training had begun" in result.message


def test_what_axolotl_refuses_is_a_fault_of_the_configuration(stage: StageRun) -> None:
    result = stage.run(spec(sample_packing_bin_size="many"))

    assert (result.exit_code, result.reason) == (ExitCode.BAD_CONFIG, "AxolotlRefused")
    assert "sample_packing_bin_size: Input should be a valid integer" in result.message


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"conversation": [}', "chats.jsonl line 3 is no JSON (Expecting value at column 19): mend or remove it."),
        ('{"messages": []}', "chats.jsonl line 3 has no field 'conversation', only messages: mend it or set"),
        ('{"conversation": []}', "chats.jsonl line 3 has [] in conversation, which takes a list of messages"),
        ('{"conversation": [{"from": "user", "value": "Hi"}]}', "chats.jsonl line 3 has a message 1 without a 'role'"),
    ],
)
def test_a_bad_row_is_refused_by_file_and_line(stage: StageRun, line: str, reason: str) -> None:
    file = stage.volume / "chats.jsonl"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:2], line, *lines[3:]]) + "\n")

    result = stage.run(spec())

    assert (result.exit_code, result.reason) == (ExitCode.BAD_DATA, "RowInvalid")
    assert result.message.startswith(reason)


def test_a_missing_data_set_is_refused_by_name(stage: StageRun) -> None:
    (stage.volume / "chats.jsonl").unlink()

    result = stage.run(spec())

    assert (result.exit_code, result.reason) == (ExitCode.BAD_DATA, "DatasetMissing")
    assert result.message == (
        "datasets[0] is to be read from chats.jsonl, but the volume has no such file: put it there."
    )


def test_a_missing_base_model_is_waited_for_and_a_torn_one_refused(stage: StageRun) -> None:
    weights = stage.volume / BASE / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    torn = stage.run(spec())
    shutil.rmtree(stage.volume / BASE)
    missing = stage.run(spec())

    assert (torn.exit_code, torn.reason) == (ExitCode.BAD_DATA, "BaseModelTorn")
    assert (missing.exit_code, missing.reason) == (ExitCode.RETRY, "BaseModelMissing")
