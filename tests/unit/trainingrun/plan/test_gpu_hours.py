"""GPU-hours of attempts that have ended, useful and lost by cause."""

from typing import Any

import pytest

from builders import World, a_manifest
from trainingrun.api.status import GpuHours
from trainingrun.stages.context import Context
from trainingrun_workers.contract import Result

STEP_SECONDS = 10.0
GPUS = 16


def pretraining(gpus_per_node: int = 8, **bad_loss: Any) -> World:
    """A gang of two nodes that has just been made."""
    manifest = a_manifest(evaluate=None)
    pretrain = manifest["spec"]["pretrain"]
    pretrain |= {"nodes": 2, "gpusPerNode": gpus_per_node, "badLoss": bad_loss}
    pretrain["config"]["parallelism"] = {"dp": 2 * max(gpus_per_node, 1), "tp": 1, "pp": 1}
    return World(manifest).settle().completes("tokenize").settle()


def trained(world: World, seconds: float, step: int, checkpoint: int, speed: bool = True) -> World:
    """The gang, some time later."""
    tokens = Context(world.run, world.settings).translated.pretrain.tokens_per_step
    world.now += seconds
    saved = {"checkpoint": checkpoint, "checkpoints": (checkpoint,)} if checkpoint else {}
    rate = tokens / STEP_SECONDS if speed else None
    return world.reports("pretrain", step=step, total=900, tokens_per_second=rate, **saved).settle()


def hours(seconds: float) -> float:
    return pytest.approx(seconds * GPUS / 3600.0, abs=1e-3)


def told(world: World) -> GpuHours:
    return world.run.status.gpu_hours


def test_steps_that_are_safe_are_useful_and_all_other_time_is_lost_to_the_cause() -> None:
    world = trained(pretraining(), 3600.0, step=330, checkpoint=300)
    world.fails("pretrain", 137).settle()
    assert told(world).useful == hours(300 * STEP_SECONDS)
    assert told(world).lost == {"Killed": hours(600.0)}  # 30 steps to do again, and 300 s of starting and saving


def test_a_later_attempt_counts_from_where_it_went_on() -> None:
    world = trained(pretraining(), 3600.0, step=330, checkpoint=300)
    world.fails("pretrain", 137).settle().wait(20)
    trained(world, 2400.0, step=520, checkpoint=500).fails("pretrain", 143, phase="Failed").settle()
    assert told(world).useful == hours(500 * STEP_SECONDS)
    assert told(world).lost == {"Killed": hours(600.0), "Preempted": hours(400.0)}


def test_a_completed_attempt_loses_what_it_took_to_start_and_to_save() -> None:
    world = trained(pretraining(), 9400.0, step=900, checkpoint=900)
    world.completes("pretrain", {"checkpoints": [900]})
    for name, pod in world.pods.items():
        if pod.stage == "pretrain":
            result = Result(0, "Completed", "Done.", step=900, output={"checkpoints": [900]})
            world.pods[name] = pod.__class__(**{**pod.__dict__, "result": result})
    world.settle()
    assert told(world).useful == hours(900 * STEP_SECONDS)
    assert told(world).lost == {"Completed": hours(400.0)}


def test_where_no_speed_is_known_the_hours_are_divided_by_the_steps_that_were_done() -> None:
    world = trained(pretraining(), 4000.0, step=400, checkpoint=300, speed=False)
    world.fails("pretrain", 137).settle()
    assert told(world).useful == hours(3000.0)
    assert told(world).lost == {"Killed": hours(1000.0)}


def test_an_attempt_that_saved_nothing_is_lost_as_a_whole() -> None:
    world = trained(pretraining(), 700.0, step=60, checkpoint=0)
    world.fails("pretrain", 137).settle()
    assert (told(world).useful, told(world).lost) == (0.0, {"Killed": hours(700.0)})


def test_what_is_useful_is_never_more_than_what_was_held() -> None:
    world = trained(pretraining(), 100.0, step=330, checkpoint=300)
    world.fails("pretrain", 137).settle()
    assert (told(world).useful, told(world).lost) == (hours(100.0), {})


def test_pods_without_a_node_hold_nothing() -> None:
    world = pretraining()
    for index in (0, 1):
        world.change_pod("pretrain", index, phase="Pending", node="", started=False)
    world.wait(600)
    world.edit(suspend=True)
    world.settle()
    assert told(world) == GpuHours()


def test_half_a_gang_holds_its_own_half() -> None:
    world = pretraining().change_pod("pretrain", 1, phase="Pending", node="", started=False)
    world.wait(600)
    world.edit(suspend=True)
    world.settle()
    assert told(world).lost == {"Suspended": pytest.approx(600.0 * 8 / 3600.0, abs=1e-3)}


def test_pods_that_nobody_can_see_any_more_count_from_the_attempts_start_where_they_ever_reported() -> None:
    world = trained(pretraining(), 3600.0, step=330, checkpoint=300)
    world.pods = {name: pod for name, pod in world.pods.items() if pod.stage != "pretrain"}
    world.edit(suspend=True)
    world.settle()
    assert told(world).useful == hours(3000.0)
    assert told(world).lost == {"Suspended": hours(600.0)}


def test_runs_without_gpus_count_nothing() -> None:
    world = trained(pretraining(gpus_per_node=0), 3600.0, step=330, checkpoint=300)
    world.fails("pretrain", 137).settle()
    assert told(world) == GpuHours()


def test_an_end_is_counted_once_however_often_it_is_looked_at() -> None:
    world = trained(pretraining(), 3600.0, step=330, checkpoint=300)
    world.fails("pretrain", 137).step()
    once = told(world)
    world.settle()
    assert told(world) == once != GpuHours()


def test_going_back_beyond_where_an_attempt_began_makes_useful_hours_lost_ones() -> None:
    world = trained(pretraining(policy="skip"), 3600.0, step=330, checkpoint=300)
    world.fails("pretrain", 65, Result(65, "NonFiniteLoss", "No number.", step=330)).settle().wait(1)
    assert told(world).useful == hours(3000.0)
    trained(world, 500.0, step=310, checkpoint=300)
    said = Result(65, "NonFiniteLoss", "No number.", step=320, output={"checkpoints": [200, 300]})
    world.fails("pretrain", 65, said).settle()
    assert [one.step for one in world.stage("pretrain").skips] == [200]
    assert told(world).useful == hours(2000.0)
    assert told(world).lost == {"BadLoss": hours(600.0 + 501.0 + 1000.0)}


def test_an_evaluation_that_completes_is_useful_and_one_that_fails_is_lost() -> None:
    manifest = a_manifest()
    manifest["spec"]["evaluate"]["gpus"] = 1
    world = World(manifest).pretrained()
    while world.stage("evaluate").phase != "Running":
        world.finishes_batch("convert")
    world.now += 360.0
    world.fails("evaluate", 137).settle()
    assert (told(world).useful, told(world).lost) == (0.0, {"Killed": pytest.approx(0.1, abs=1e-3)})
    world.wait(20)
    world.now += 720.0
    world.completes("evaluate", {"models": {}}).settle()
    assert told(world).useful == pytest.approx(0.2, abs=1e-2)
