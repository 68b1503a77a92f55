"""What an action will cost is told before it is done."""

from typing import Any

from builders import World, a_manifest
from trainingrun.commands.costs import costs_of
from trainingrun_workers.contract import Result


def training() -> dict[str, Any]:
    """At step 450 of 900 with 9000 seconds to go, checkpoint 300; two nodes with eight GPUs each."""
    world = World(a_manifest(evaluate=None)).settle().completes("tokenize").settle()
    world.reports("pretrain", step=450, total=900, eta_seconds=9000.0, checkpoint=300).settle()
    world.manifest["spec"]["pretrain"] |= {"nodes": 2, "gpusPerNode": 8}
    return world.manifest


def test_suspending_frees_gpus_and_risks_the_steps_since_the_checkpoint() -> None:
    assert [*costs_of(training()).suspending()] == [
        "Stage pretrain saves at step 450 of 900 and frees 16 GPUs; no step is lost. Should saving fail, 150 steps are "
        "lost (about 50m0s, 13.3 GPU-hours)."
    ]


def test_suspending_what_does_not_run_costs_nothing() -> None:
    assert [*costs_of(World().manifest).suspending()] == ["Nothing of it runs at the moment."]


def test_going_back_costs_the_steps_in_between() -> None:
    assert [*costs_of(training()).going_back(100, 20)] == [
        "Stage pretrain is at step 450: 350 steps are done again (about 1h56m, 31.1 GPU-hours), and checkpoints after "
        "step 100 are set aside.",
        "The data of the 20 steps that followed step 100 are left out for good.",
    ]


def test_resuming_and_retrying_tell_where_they_go_on_and_what_they_take() -> None:
    run = training()
    pretrain = next(one for one in run["status"]["stages"] if one["name"] == "pretrain")
    pretrain["phase"] = "Suspended"
    assert [*costs_of(run).resuming()] == ["Stage pretrain goes on from checkpoint 300 of 900 and takes 16 GPUs."]
    world = World(a_manifest()).settle()
    world.fails("tokenize", 65, Result(65, "SourceMissing", "Source wiki is not there.")).settle()
    assert [*costs_of(world.manifest).retrying("tokenize")] == [
        "Stage tokenize failed by SourceMissing: Source wiki is not there.",
        "Stage tokenize goes on again. Its budgets for failures begin anew.",
    ]


def test_a_spec_of_another_version_still_has_costs_in_steps() -> None:
    run = training()
    run["spec"]["moon"] = "full"
    assert [*costs_of(run).going_back(400, 0)] == [
        "Stage pretrain is at step 450: 50 steps are done again (about 16m40s), and checkpoints after step 400 are set "
        "aside."
    ]
