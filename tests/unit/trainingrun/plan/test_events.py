"""The run's log book: what a person reads a month later."""

from builders import World, a_manifest
from trainingrun.plan.times import duration
from trainingrun_workers.contract import Result


def said(world: World, *reasons: str) -> list[str]:
    return [one.message for one in world.events if one.reason in reasons]


def test_a_stage_is_told_of_from_its_beginning_to_its_end_with_how_long_it_took() -> None:
    world = World().settle()
    world.now += 3700
    world.completes("tokenize").settle()
    assert [one for one in said(world, "StageStarted", "StageRunning", "StageSucceeded") if "tokenize" in one] == [
        "Attempt 1 of stage tokenize was started.",
        "Attempt 1 of stage tokenize is running.",
        "Stage tokenize is complete after 1h1m.",
    ]


def test_an_attempt_says_from_which_step_it_goes_on() -> None:
    world = World().settle().completes("tokenize").settle()
    world.reports("pretrain", step=340, total=900, checkpoint=300, checkpoints=(300,)).settle()
    world.fails("pretrain", exit_code=75, result=Result(75, "PeerLost", "A peer went away.")).wait(10).wait(30)
    assert "Attempt 2 of stage pretrain is running, from step 300." in said(world, "StageRunning")
    world.now += 60
    world.completes("pretrain", {"checkpoints": [900]}).settle()
    (end,) = [one for one in said(world, "StageSucceeded") if "pretrain" in one]
    assert end.endswith("with 1 restart.")


def test_checkpoints_make_a_line_for_each_tenth_of_the_way_however_many_there_are() -> None:
    world = World().settle().completes("tokenize").settle()
    for step in range(0, 901, 10):
        world.now += 20
        world.reports("pretrain", step=step, total=900, loss=5.0, checkpoint=step or None).settle()
    lines = said(world, "CheckpointSaved")
    assert len(lines) == 10
    assert lines[0] == "Stage pretrain has checkpoint 90 of 900 (10 %), loss 5.000."


def test_batches_of_checkpoints_do_not_fill_the_log_book() -> None:
    world = World().finished()
    assert not [one for one in said(world, "StageRunning") if "convert" in one or "stage evaluate " in one]


def test_a_suspended_run_that_goes_on_says_so() -> None:
    world = World().settle()
    world.edit(suspend=True)
    world.settle()
    world.edit(suspend=False)
    world.wait(5)
    assert said(world, "Suspended", "Resumed")[-2:] == ["The run is suspended.", "The run goes on."]


def test_the_end_tells_what_it_cost() -> None:
    manifest = a_manifest(variants=[])
    manifest["spec"]["pretrain"] |= {"gpusPerNode": 8}
    manifest["spec"]["pretrain"]["config"]["parallelism"] |= {"dp": 16}
    world = World(manifest).settle().completes("tokenize").settle()
    world.now += 3600
    world.reports("pretrain", step=900, total=900, checkpoint=900).completes(
        "pretrain", {"checkpoints": [900]}
    ).settle()
    for stage in ("convert", "evaluate"):
        while world.stage(stage).phase == "Running":
            world.finishes_batch(stage)
    for stage in ("release", "report"):
        world.completes(stage).settle()
    (end,) = said(world, "Succeeded")
    assert end.startswith("The run is complete. It took ")
    assert "useful GPU-hours" in end


def test_lengths_of_time_are_written_for_people() -> None:
    assert [duration(one) for one in (0.4, 45, 59.6, 200, 18_600, 1_047_600)] == [
        "0s", "45s", "1m0s", "3m20s", "5h10m", "12d3h",
    ]  # fmt: skip
