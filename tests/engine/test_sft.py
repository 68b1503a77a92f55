"""The sft stage with Axolotl itself: what it trains on, what it leaves, what it refuses; test_tuning has more."""

import shutil
import signal
from pathlib import Path

import pytest

from engine.pretrain_runs import wait_until
from engine.sft_runs import BASE, FOLDER, ROWS, STEPS, curve, make_stage, snapshot_text, spec, trained_texts
from engine.stage_runs import StageRun
from engine.tuning_runs import KEPT, SFT, TuningRuns, only_prepared
from trainingrun_workers.contract import ExitCode
from trainingrun_workers.volume import read_marker


@pytest.fixture
def stage(tuning: TuningRuns, tmp_path: Path) -> StageRun:
    return make_stage(tuning.python, tuning.base, tmp_path)


@pytest.fixture
def trained(tuning: TuningRuns) -> StageRun:
    """A run to the end without interruption; not to be changed."""
    return tuning.of(SFT)[0].run


def test_the_loss_falls_and_the_stage_says_what_it_did(trained: StageRun) -> None:
    output = read_marker(trained.volume / FOLDER)

    assert output is not None
    assert output["loss"] == curve(trained)[-1]["loss"] < output["firstLoss"] - 3
    assert [line["step"] for line in curve(trained)] == list(range(1, STEPS + 1))
    assert (output["steps"], output["tokens"]) == (STEPS, curve(trained)[-1]["tokens"])
    assert 0 < output["trainedTokens"] < output["tokens"]
    assert (output["axolotlVersion"], output["cpu"]) == ("0.19.0", True)


def test_old_checkpoints_are_removed(trained: StageRun) -> None:
    assert sorted(path.name for path in (trained.volume / FOLDER / "checkpoints").glob("checkpoint-*")) == [
        "checkpoint-50", "checkpoint-60",
    ]  # fmt: skip


def test_only_the_assistants_words_and_their_end_are_trained_on(tuning: TuningRuns) -> None:
    run = tuning.of(SFT)[0].run
    texts = trained_texts(only_prepared(run, KEPT), run.volume / BASE)
    assert len(texts) == ROWS - 2
    assert set(texts) == {
        f"{f'It is {word}. ' * times}<|im_end|>Still {word}.<|im_end|>"
        for word in ("red", "green", "blue")
        for times in (1, 2)
    }


def test_a_run_that_was_interrupted_half_trained_is_not_called_done(tuning: TuningRuns) -> None:
    interrupted = tuning.of(SFT)[1]
    after = interrupted.early[signal.SIGINT]
    assert (after.exit_code, after.reason) == (ExitCode.PREEMPTED, "Preempted")
    assert interrupted.marker is None
    assert 17 <= (after.step or 0) < 36


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
