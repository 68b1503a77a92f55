"""What a person asks of a run once, by an annotation: to try a stage again, to go back to an earlier checkpoint."""

import json

import pytest

from builders import World, a_manifest
from trainingrun.api import names
from trainingrun_workers.contract import Result


def asks(world: World, what: str) -> World:
    world.manifest["metadata"].setdefault("annotations", {})[names.ANNOTATION_ASKED] = what
    return world.settle()


def pretraining(evaluate: bool = False) -> World:
    """A run at step 320, with complete checkpoints 100, 200 and 300."""
    manifest = a_manifest() if evaluate else a_manifest(evaluate=None)
    manifest["spec"]["pretrain"] |= {"checkpoints": {"every": 100, "keepLast": 4}}
    world = World(manifest).settle().completes("tokenize").settle()
    return world.reports("pretrain", step=320, total=900, checkpoint=300, checkpoints=(0, 100, 200, 300)).settle()


def given_skips(world: World) -> list[tuple[int, int]]:
    document = json.loads(world.objects[f"ConfigMap/{world.attempt('pretrain')}"]["data"][names.INPUT_FILE])
    return [(one["step"], one["steps"]) for one in document["spec"]["skips"]]


def failed() -> World:
    world = World(a_manifest()).settle()
    return world.fails("tokenize", 65, Result(65, "SourceMissing", "There is no such folder.")).settle()


def test_a_failed_stage_tries_again_with_budgets_as_at_first_and_no_other_does() -> None:
    world = asks(failed(), "retry tokenize 1")
    stage = world.stage("tokenize")
    assert (stage.phase, stage.attempt, stage.restarts) == ("Running", 2, 0)
    assert world.run.status.answer == "Stage tokenize tries again: attempt 2 follows."
    assert world.run.metadata.generation == 1


def test_what_was_asked_once_is_done_once() -> None:
    world = asks(failed(), "retry tokenize 1")
    world.fails("tokenize", 65, Result(65, "SourceMissing", "There is no such folder.")).settle()
    world.wait(10_000)
    assert (world.stage("tokenize").phase, world.stage("tokenize").attempt) == ("Failed", 2)
    asks(world, "retry tokenize 2")
    assert world.stage("tokenize").attempt == 3


def test_a_stage_that_backs_off_starts_at_once() -> None:
    world = pretraining().fails("pretrain", 1).wait(6)
    assert (world.stage("pretrain").phase, world.stage("pretrain").attempt) == ("Waiting", 1)
    assert asks(world, "retry pretrain 1").run.status.answer == "Stage pretrain waits no longer: attempt 2 follows."
    assert (world.stage("pretrain").phase, world.stage("pretrain").attempt) == ("Running", 2)


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ("retry nothing 1", "Nothing was done: the run has no stage nothing."),
        ("retry pretrain 1", "Nothing was done: stage pretrain is running, as attempt 1."),
        ("retry tokenize 1", "Nothing was done: stage tokenize is complete."),
        ("retry release 1", "Nothing was done: stage release has not failed: Waiting for stage convert."),
        ("restart-from 150 0 1", "Nothing was done: no checkpoint of step 150 is known; known are 0, 100, 200, 300."),
        ("restart-from x 0 1", "Nothing was done: what was asked is not understood."),
        ("dance", "Nothing was done: what was asked is not understood."),
        ("retry " + "x" * 5000, "Nothing was done: what was asked is not understood."),
    ],
)
def test_what_can_t_be_done_is_answered_and_changes_nothing_else(asked: str, answer: str) -> None:
    world = pretraining()
    before = world.run.status
    after = asks(world, asked).run.status
    assert after.answer == answer
    assert after == before.model_copy(update={"asked": asked[:256], "answer": answer})


def test_an_attempt_that_has_not_looked_yet_takes_away_no_checkpoint_that_was_known() -> None:
    world = pretraining().fails("pretrain", 1).wait(6).wait(600)
    world.reports("pretrain", total=900, activity="starting").settle()
    assert (world.stage("pretrain").attempt, world.stage("pretrain").progress.checkpoint) == (2, 300)
    asks(world, "restart-from 100 0 1")
    assert world.run.status.answer == (
        "Nothing was done: no checkpoint of step 100 is known; known are 300, and all others once it trains and "
        "reports."
    )
    world.reports("pretrain", step=320, total=900, checkpoint=300, checkpoints=(0, 100, 200, 300)).settle()
    asks(world, "restart-from 100 0 2")
    assert world.run.status.answer == "Stage pretrain goes on from step 100."


def test_a_restart_makes_no_checkpoint_look_younger() -> None:
    world = pretraining()
    before = world.stage("pretrain").progress.checkpoint_at
    world.fails("pretrain", 1).wait(6).wait(600)
    world.reports("pretrain", total=900, activity="starting").settle().wait(60)
    world.reports("pretrain", step=320, total=900, checkpoint=300, checkpoints=(0, 100, 200, 300)).settle()
    assert world.stage("pretrain").progress.checkpoint_at == before


def test_training_goes_back_to_a_checkpoint_with_the_same_data() -> None:
    world = asks(pretraining(), "restart-from 100 0 1")
    stage = world.stage("pretrain")
    assert world.run.status.answer == "Stage pretrain goes on from step 100."
    assert (stage.phase, stage.attempt, stage.preemptions, stage.restarts) == ("Running", 2, 0, 0)
    assert given_skips(world) == [(100, 0)]
    assert stage.progress.checkpoint == 100
    ended = next(one for one in world.run.status.attempts if one.stage == "pretrain")
    assert (ended.cause, ended.step) == ("WentBack", 100)
    assert [one.message for one in world.events if one.reason == "WentBack"] == [
        "Stage pretrain: It was asked to go on from step 100."
    ]


def test_training_goes_back_and_leaves_data_out_without_using_up_what_bad_losses_may() -> None:
    world = asks(pretraining(), "restart-from 200 50 1")
    assert given_skips(world) == [(200, 50)]
    assert sum(one.times for one in world.stage("pretrain").skips) == 0
    assert "without the data of the 50 steps that followed it" in (world.run.status.answer or "")


def test_going_back_to_the_same_step_twice_needs_other_data_since_no_checkpoint_would_be_set_aside() -> None:
    world = asks(pretraining(), "restart-from 200 0 1")
    world.reports("pretrain", step=330, total=900, checkpoint=300, checkpoints=(0, 100, 200, 300)).settle()
    asks(world, "restart-from 200 0 2")
    assert "it went back to step 200 before" in (world.run.status.answer or "")
    asks(world, "restart-from 200 5 3")
    assert given_skips(world) == [(200, 5)]


def test_training_never_goes_back_beyond_a_checkpoint_that_is_evaluated() -> None:
    world = pretraining(evaluate=True)
    asks(world, "restart-from 100 0 1")
    assert "checkpoint 300 is or will be converted" in (world.run.status.answer or "")
    assert world.stage("pretrain").attempt == 1
    asks(world, "restart-from 300 0 2")
    assert given_skips(world) == [(300, 0)]


def test_training_never_goes_back_to_a_checkpoint_that_may_be_gone_when_it_has_stopped() -> None:
    """With three that are kept the next save removes the oldest; what is suspended saves no more."""
    world = pretraining()
    world.edit(pretrain=world.manifest["spec"]["pretrain"] | {"checkpoints": {"every": 100, "keepLast": 3}})
    asks(world, "restart-from 100 0 1")
    assert "checkpoint 100 may be removed before training has stopped" in (world.run.status.answer or "")
    assert world.stage("pretrain").attempt == 1
    asks(world, "restart-from 200 0 2")
    assert given_skips(world) == [(200, 0)]


def test_a_finished_training_does_not_go_back() -> None:
    world = World(a_manifest(evaluate=None)).pretrained()
    asks(world, "restart-from 300 0 1")
    assert "stage pretrain is complete; start a new run" in (world.run.status.answer or "")


def test_an_attempt_that_has_not_reported_is_waited_for_before_an_older_checkpoint_is_chosen() -> None:
    world = asks(pretraining().fails("pretrain", 1).wait(6), "retry pretrain 1")
    assert (world.stage("pretrain").phase, world.stage("pretrain").attempt) == ("Running", 2)
    asks(world, "restart-from 200 0 1")
    assert (world.run.status.answer or "").endswith("known are 300, and all others once it trains and reports.")
    assert world.stage("pretrain").attempt == 2


def test_a_suspended_run_goes_back_when_it_is_resumed() -> None:
    world = pretraining()
    world.edit(suspend=True)
    world.settle()
    asks(world, "restart-from 300 0 1")
    assert world.stage("pretrain").phase == "Suspended"
    world.edit(suspend=False)
    assert given_skips(world.settle()) == [(300, 0)]


@pytest.mark.parametrize("limit", range(8))
def test_an_operator_that_dies_after_any_write_ends_the_same(limit: int) -> None:
    world = pretraining()
    world.manifest["metadata"]["annotations"] = {names.ANNOTATION_ASKED: "restart-from 100 0 1"}
    world.step(limit % 4)
    world.step(limit // 4)
    world.settle()
    assert (world.stage("pretrain").attempt, given_skips(world)) == (2, [(100, 0)])
