"""A loss that rises too far ends the attempt; the next one leaves out the data that did it."""

import array
import random
from pathlib import Path

import pytest

from engine.pretrain_runs import BATCH, SEQUENCE, VOCABULARY, PretrainRun
from trainingrun_workers.contract import DataSource, DataStage, Skip
from trainingrun_workers.pretrain.data_plan import DataPlan
from trainingrun_workers.volume import read_marker

STEPS = 48
BAD = (33, 34)  # steps whose data are noise
WINDOWS = {"tokens/en": 5999 // SEQUENCE, "tokens/it": 2999 // SEQUENCE}
STAGE = DataStage("all", 1, 6, (DataSource("en", "tokens/en", 0.7), DataSource("it", "tokens/it", 0.3)))


def spoil(run: PretrainRun) -> None:
    """Put noise into the very windows that the bad steps read."""
    plan, draw = DataPlan((STAGE,), WINDOWS, BATCH), random.Random(3)
    for number in range((BAD[0] - 1) * BATCH, BAD[1] * BATCH):
        folder, window = plan.sample(number)
        file = run.volume / folder / "00000.ds"
        tokens = array.array("H", file.read_bytes())
        first = window * SEQUENCE
        tokens[first : first + SEQUENCE] = array.array("H", [draw.randrange(VOCABULARY) for _ in range(SEQUENCE)])
        file.write_bytes(tokens.tobytes())


@pytest.fixture
def spoiled(run: PretrainRun) -> PretrainRun:
    spoil(run)
    run.config["tokens"]["train_steps"] = STEPS
    run.config["optimizer"]["learning_rate_scheduler"] |= {"lr_decay_starting_step": 40, "lr_decay_steps": 8}
    run.spec |= {"checkpoint_every": 8, "loss_spike": 1.3}
    return run


def test_a_spike_ends_the_attempt_and_the_next_goes_on_without_its_data(spoiled: PretrainRun, tmp_path: Path) -> None:
    run = spoiled
    result = run.run()
    assert (result.exit_code, result.reason, result.step) == (65, "LossSpike", BAD[0])
    assert f"at step {BAD[0]} is more than 1.3 times the median" in result.message
    assert run.store.newest() == 32

    assert run.run().reason == "LossSpike", "the same data come to the same, and the median is known again"

    run.spec["skips"] = (Skip(24, 10),)
    assert run.run().reason == "Completed"
    assert run.checkpoints()[0] == "skipped-step-00000032-0", "made of data that are left out now"
    assert [line["step"] for line in run.curve()] == list(range(1, STEPS + 1))
    output, marker = read_marker(run.folder), read_marker(run.store.path(32))
    assert output and marker
    assert sum(output["tokensBySource"].values()) == output["tokens"] == STEPS * BATCH * SEQUENCE
    assert (output["skippedSteps"], marker["skips"]) == (10, [[24, 10]])

    other = PretrainRun(run.python, tmp_path / "other")
    spoil(other)
    other.config, other.spec = run.config, run.spec
    assert other.run().reason == "Completed"
    assert other.curve() == run.curve()
    assert other.weights(STEPS) == run.weights(STEPS)


def test_a_run_without_a_limit_goes_through_a_spike(spoiled: PretrainRun) -> None:
    spoiled.spec["loss_spike"] = None

    assert spoiled.run().reason == "Completed"
    losses = [line["loss"] for line in spoiled.curve()]
    assert losses[BAD[0] - 1] > 1.3 * max(losses[BAD[0] - 11 : BAD[0] - 1])
