"""A finished run never trains again, whatever becomes of its objects and of its status."""

import copy

import pytest

from builders import World
from trainingrun_workers.contract import ExitCode

TRAINING = ("pretrain", "sft-translate")
OTHER_UID = "9e9e9e9e-1111-2222-3333-444444444444"


def finished_stages(world: World) -> set[str]:
    return {stage.name for stage in world.run.status.stages if stage.phase == "Succeeded"}


def without_children(world: World) -> World:
    world.work, world.pods, world.objects, world.snapshots = {}, {}, {}, {}
    return world


def test_a_finished_run_whose_children_are_collected_makes_none_again() -> None:
    world = without_children(World().finished())
    assert not world.step()
    world.now += 10 * 86400
    assert not world.step()


def test_children_deleted_by_hand_one_by_one_are_not_made_again() -> None:
    world = World().finished()
    status = copy.deepcopy(world.manifest["status"])
    for name in list(world.work):
        world._delete(name)
        assert not world.plan().apply
        world.settle()
    assert world.manifest["status"] == status


def test_a_finished_stage_stays_so_while_the_run_goes_on_without_its_children() -> None:
    world = without_children(World().pretrained())
    world.settle()
    assert world.stage("pretrain").attempt == 1
    while world.run.status.phase != "Succeeded":
        for stage in world.run.status.stages:
            if stage.phase == "Running":
                world.finishes_batch(stage.name)
    assert [world.stage(name).attempt for name in ("tokenize", *TRAINING)] == [1, 1, 1]


@pytest.mark.parametrize("code", [ExitCode.BAD_DATA, ExitCode.BAD_CONFIG])
def test_a_failed_stage_stays_so_when_its_children_are_collected(code: int) -> None:
    world = World().settle().completes("tokenize").settle()
    world.fails("pretrain", code).settle()
    without_children(world).wait(100_000)
    assert (world.run.status.phase, world.stage("pretrain").attempt) == ("Failed", 1)


def test_a_crash_loop_stays_ended_when_its_children_are_collected() -> None:
    world = World().settle().completes("tokenize").settle()
    for _ in range(5):
        world.fails("pretrain", 1).wait(6).wait(400)
    without_children(world).wait(100_000)
    assert (world.stage("pretrain").reason, world.stage("pretrain").attempt) == ("CrashLoop", 5)


def test_suspending_and_resuming_a_finished_run_trains_nothing() -> None:
    world = World().finished()
    applied = len(world.everything_ever_applied)
    for suspend in (True, False):
        world.edit(suspend=suspend)
        world.settle()
    assert world.run.status.phase == "Succeeded"
    assert len(world.everything_ever_applied) == applied


def test_a_run_restored_with_its_status_but_as_another_object_trains_nothing() -> None:
    world = without_children(World().finished())
    world.manifest["metadata"]["uid"] = OTHER_UID
    assert not world.plan().apply
    world.settle()
    assert world.run.status.phase == "Succeeded"


def test_a_run_restored_without_its_status_is_given_the_folders_that_it_had() -> None:
    """Its workers find each folder's marker, written last, and end at once: nothing trains."""
    world = World().finished()
    before = {stage.name: (stage.inputs, stage.folder) for stage in world.run.status.stages}
    restored = World()
    restored.manifest["metadata"]["uid"] = OTHER_UID
    restored.finished()
    assert {stage.name: (stage.inputs, stage.folder) for stage in restored.run.status.stages} == before
    assert restored.run.status.phase == "Succeeded"


def test_a_run_whose_status_is_lost_takes_away_what_it_does_not_know_before_it_starts() -> None:
    world = World().settle().completes("tokenize").settle()
    for _ in range(2):
        world.fails("pretrain", 143).settle()
    assert "tiny-pretrain-a3" in world.work
    del world.manifest["status"]
    world.step()
    assert "tiny-pretrain-a3" not in world.work
    world.settle()
    assert finished_stages(world) == set()
    assert list(world.work) == ["tiny-tokenize-a1"]
    world.completes("tokenize").settle()
    assert world.attempt("pretrain") in world.work


def test_a_run_whose_status_is_lost_starts_nothing_while_pods_that_it_does_not_know_go_on() -> None:
    world = World().settle().completes("tokenize").settle()
    old = world.pods["tiny-pretrain-a1-1"]
    del world.manifest["status"]
    world.step()
    world.pods[old.name] = old
    world.settle().completes("tokenize").settle()
    assert world.stage("pretrain").attempt == 0
    assert old.name in world.stage("pretrain").message
    del world.pods[old.name]
    world.settle()
    assert world.stage("pretrain").phase == "Running"
