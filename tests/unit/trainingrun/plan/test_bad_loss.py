"""A loss that is no number, or rises too far: the stage stops, or goes back and leaves out the data."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import World, a_manifest
from trainingrun.api import names
from trainingrun.api.status import Skip
from trainingrun.plan.bad_loss import skipped
from trainingrun_workers.contract import Result


def pretraining(evaluate: bool = False, **bad_loss: Any) -> World:
    """A run whose pretraining has complete checkpoints 0, 100, 200 and 300; some of them are evaluated, or none."""
    manifest = a_manifest() if evaluate else a_manifest(evaluate=None)
    manifest["spec"]["pretrain"] |= {"badLoss": {"policy": "skip", **bad_loss}, "checkpoints": {"every": 100}}
    world = World(manifest).settle().completes("tokenize").settle()
    return at(world, 320, (0, 100, 200, 300))


def at(world: World, step: int, checkpoints: tuple[int, ...]) -> World:
    """The gang reports a step and its complete checkpoints."""
    return world.reports("pretrain", step=step, total=900, checkpoint=checkpoints[-1], checkpoints=checkpoints).settle()


def goes_bad(world: World, step: int, reason: str = "NonFiniteLoss") -> World:
    """The gang ends with a bad loss."""
    message = f"The loss is no number at step {step}."
    world.fails("pretrain", 65, Result(65, reason, message, step=step)).settle()
    return world.wait(1)


def skips(world: World) -> list[tuple[int, int]]:
    return [(one.step, one.steps) for one in world.stage("pretrain").skips]


def given_skips(world: World) -> list[tuple[int, int]]:
    """What the newest attempt's pods are told."""
    document = json.loads(world.objects[f"ConfigMap/{world.attempt('pretrain')}"]["data"][names.INPUT_FILE])
    return [(one["step"], one["steps"]) for one in document["spec"]["skips"]]


@pytest.mark.parametrize("reason", ["NonFiniteLoss", "LossSpike"])
def test_by_default_a_bad_loss_fails_the_stage_with_the_workers_words(reason: str) -> None:
    world = goes_bad(pretraining(policy="stop"), 345, reason)
    stage = world.stage("pretrain")
    assert (stage.phase, stage.reason, stage.skips) == ("Failed", reason, [])
    assert "at step 345" in stage.message
    world.wait(100_000)
    assert world.stage("pretrain").attempt == 1


def test_training_goes_on_from_the_newest_checkpoint_before_without_the_data_in_between() -> None:
    world = goes_bad(pretraining(), 345)
    stage = world.stage("pretrain")
    assert (stage.phase, stage.attempt, stage.restarts, stage.preemptions) == ("Running", 2, 0, 0)
    assert skips(world) == given_skips(world) == [(300, 45)]


def test_it_is_told_in_an_event_and_in_the_attempt() -> None:
    world = goes_bad(pretraining(), 345)
    (event,) = [one for one in world.events if one.reason == "DataSkipped"]
    assert event.type == "Warning"
    assert "from step 300, without the data of the 45 steps" in event.message
    attempt = next(one for one in world.run.status.attempts if one.stage == "pretrain")
    assert (attempt.cause, attempt.step) == ("BadLoss", 300)


def test_a_checkpoint_of_the_bad_step_itself_is_not_gone_on_from() -> None:
    world = at(pretraining(), 320, (100, 200, 300))
    assert skips(goes_bad(world, 300)) == [(200, 100)]


def test_another_place_later_on_is_another_skip() -> None:
    world = at(goes_bad(pretraining(), 345), 510, (300, 400, 500))
    assert skips(goes_bad(world, 520)) == given_skips(world) == [(300, 45), (500, 20)]


def test_the_same_place_again_goes_back_to_the_checkpoint_before_and_leaves_out_all_data_since() -> None:
    world = at(goes_bad(pretraining(), 345), 310, (0, 100, 200, 300))
    goes_bad(world, 330)
    assert skips(world) == given_skips(world) == [(200, 175)]  # the data of steps 201 to 375


def test_where_no_earlier_checkpoint_is_left_more_data_are_left_out() -> None:
    world = at(goes_bad(pretraining(), 345), 310, (300,))
    assert skips(goes_bad(world, 330)) == [(300, 75)]


def test_it_never_goes_back_beyond_a_checkpoint_that_is_evaluated() -> None:
    world = at(goes_bad(pretraining(evaluate=True), 345), 310, (0, 100, 200, 300))
    assert skips(goes_bad(world, 330)) == [(300, 75)]


def test_a_loss_that_is_bad_before_the_first_checkpoint_begins_anew_with_later_data() -> None:
    manifest = a_manifest(evaluate=None)
    manifest["spec"]["pretrain"]["badLoss"] = {"policy": "skip"}
    world = World(manifest).settle().completes("tokenize").settle()
    assert skips(goes_bad(world, 7)) == [(0, 7)]


def test_after_max_skips_the_stage_fails_and_says_so() -> None:
    world = pretraining(maxSkips=2)
    for step in (345, 330, 320):
        at(goes_bad(world, step), 310, (100, 200, 300))
    stage = world.stage("pretrain")
    assert (stage.phase, stage.attempt) == ("Failed", 3)
    assert "maxSkips is 2" in stage.message
    assert sum(one.times for one in stage.skips) == 2


def test_a_raised_limit_goes_on_where_the_failed_stage_stopped() -> None:
    world = pretraining(maxSkips=1)
    for step in (345, 330):
        at(goes_bad(world, step), 310, (100, 200, 300))
    pretrain = world.manifest["spec"]["pretrain"]
    pretrain["badLoss"]["maxSkips"] = 5
    world.edit(pretrain=pretrain)
    world.settle()
    assert world.stage("pretrain").phase == "Running"
    assert given_skips(world) == [(300, 45)]


def test_another_configuration_is_another_folder_of_which_nothing_was_skipped() -> None:
    world = pretraining(evaluate=True, maxSkips=1)
    for step in (345, 330):
        at(goes_bad(world, step), 310, (0, 100, 200, 300))
    assert {one.step for one in world.run.status.checkpoints} == {0, 300}
    pretrain = world.manifest["spec"]["pretrain"]
    pretrain["config"]["optimizer"]["learning_rate_scheduler"]["learning_rate"] = 0.001
    world.edit(pretrain=pretrain)
    world.snapshots.clear()
    world.settle()
    assert (world.stage("pretrain").phase, world.stage("pretrain").progress) == ("Running", None)
    assert skips(world) == given_skips(world) == []
    assert world.run.status.checkpoints == []


def test_an_operator_that_knows_no_reports_any_more_goes_on_from_what_the_status_tells() -> None:
    world = pretraining()
    world.snapshots.clear()
    assert skips(goes_bad(world, 345)) == [(300, 45)]


def test_a_worker_that_tells_its_checkpoints_last_is_believed() -> None:
    world = pretraining()
    result = Result(65, "LossSpike", "The loss rose.", step=445, output={"checkpoints": [200, 300, 400]})
    world.fails("pretrain", 65, result).settle()
    assert skips(world) == [(400, 45)]


def test_what_was_skipped_is_told_to_whoever_reads_the_model_card() -> None:
    world = goes_bad(pretraining(), 345)
    world.completes("pretrain", {"checkpoints": [900]}).settle()
    world.completes("convert").settle()
    document = json.loads(world.objects["ConfigMap/tiny-release-a1"]["data"][names.INPUT_FILE])
    assert document["spec"]["provenance"]["pretrain"]["skipped"] == [{"step": 300, "steps": 45}]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), max_size=12))
def test_whatever_goes_bad_no_data_up_to_there_are_read_again(places: list[tuple[int, int]]) -> None:
    known: list[Skip] = []
    for start, length in places:
        bad = start + length
        before = sum(one.steps for one in known if one.step < bad)
        known = skipped(known, start, bad)
        assert [one.step for one in known] == sorted({one.step for one in known})
        after = start + 1 + sum(one.steps for one in known if one.step <= start)
        assert after > bad + before, "the first step's data after the skip lie beyond those of the bad step"
    assert sum(one.times for one in known) == len(places)
