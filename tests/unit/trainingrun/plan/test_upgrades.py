"""Runs that ended under an earlier operator, which knew fewer stages or named folders otherwise."""

import pytest

from builders import World, a_manifest_that_compares
from trainingrun.plan.actions import Plan
from trainingrun_workers.contract import ExitCode, Result


def before_the_report(world: World) -> World:
    """The same world as an operator left it that knew neither comparison nor report."""
    stages = world.manifest["status"]["stages"]
    world.manifest["status"]["stages"] = [one for one in stages if one["kind"] not in ("compare", "report")]
    world.events.clear()
    return world


def test_a_finished_run_does_not_get_the_stages_that_an_upgrade_brings() -> None:
    world = before_the_report(World(a_manifest_that_compares()).finished())
    applied = len(world.everything_ever_applied)
    world.settle()
    assert len(world.everything_ever_applied) == applied
    assert world.run.status.phase == "Succeeded"
    assert not world.events, "the run's log book tells of something although nothing was done"
    for name in ("compare", "report"):
        assert (world.stage(name).phase, world.stage(name).reason) == ("Succeeded", "CameLater")
        assert f"before there was a stage {name}: change the spec" in world.stage(name).message


def test_a_failed_run_stays_failed_for_the_reason_that_it_failed_for() -> None:
    world = World().pretrained()
    for stage in ("convert", "evaluate"):
        while world.stage(stage).phase == "Running":
            world.finishes_batch(stage)
    for stage in ("sft-translate", "dpo-prefer", "evaluate-translate", "evaluate-prefer"):
        if world.stage(stage).phase == "Running":
            world.completes(stage).settle()
    world.fails("release", ExitCode.BAD_CONFIG, Result(78, "LicenceUnknown", "No such licence.")).settle()
    for stage in ("release-translate", "release-prefer", "report"):
        world.completes(stage).settle()
    assert world.run.status.phase == "Failed"
    before_the_report(world).settle()
    assert (world.run.status.phase, world.condition("Failed").reason) == ("Failed", "LicenceUnknown")
    assert (world.stage("report").phase, world.stage("report").reason) == ("Succeeded", "CameLater")


def test_the_next_change_of_the_spec_begins_what_was_left_out_and_then_it_may_fail() -> None:
    world = before_the_report(World().finished()).settle()
    release = world.manifest["spec"]["release"] | {"prompts": ["Once"]}
    world.edit(release=release)
    world.settle()
    assert world.stage("report").phase == "Running"
    missing = Result(78, "EvaluationMissing", "The scores are missing.")
    world.fails("report", ExitCode.BAD_CONFIG, missing).settle()
    assert world.stage("report").phase == "Failed"


def test_what_was_left_out_and_then_made_is_complete_as_any_other() -> None:
    world = before_the_report(World().finished()).settle()
    world.edit(suspend=True)
    world.settle().edit(suspend=False)
    world.settle().completes("report").settle()
    assert (world.stage("report").reason, world.run.status.phase) == ("Completed", "Succeeded")


def test_a_run_that_goes_on_gets_the_stages_that_an_upgrade_brings() -> None:
    world = before_the_report(World(a_manifest_that_compares()).pretrained()).settle()
    assert world.stage("compare").phase == "Running"
    assert world.stage("report").phase == "Pending"


@pytest.mark.parametrize("stage", ["evaluate", "release", "report", "evaluate-translate"])
def test_a_finished_stage_is_not_made_again_because_a_later_operator_names_its_folder_otherwise(stage: str) -> None:
    world = World().finished()
    found = next(one for one in world.manifest["status"]["stages"] if one["name"] == stage)
    found["inputs"], found["folder"] = "as-it-was-named", f"artifacts/{stage}/as-it-was-named"
    plan: Plan = world.plan()
    assert not plan.apply
    assert plan.status == world.run.status


def test_a_changed_spec_makes_it_again_in_its_new_folder() -> None:
    world = World().finished()
    found = next(one for one in world.manifest["status"]["stages"] if one["name"] == "report")
    found["inputs"], found["folder"] = "as-it-was-named", "artifacts/report/as-it-was-named"
    world.edit(suspend=True)
    world.settle().edit(suspend=False)
    world.settle()
    assert world.stage("report").phase == "Running"
    assert world.stage("report").folder != "artifacts/report/as-it-was-named"
