"""What a gang says of its ranks: the pre-flight's figures, and who holds the others up."""

from typing import Any

from builders import World
from trainingrun_workers.contract import Result

SLOW = {"rank": 3, "node": "gpu-1", "times": 1.64, "since": 61}
FLOWN = {
    "seconds": 1.2, "ranks": 2, "measured": "matrix product 600 TFLOP/s (median 605)", "found": None,
    "lowest": {"matmulTflops": 600.0}, "median": {"matmulTflops": 605.0},
}  # fmt: skip


def pretraining() -> World:
    return World().settle().completes("tokenize").settle()


def tells(world: World, step: int, **said: Any) -> World:
    """A report, late enough to be taken."""
    world.now += 60
    return world.reports("pretrain", step=step, total=900, **said).settle()


def said(world: World, *reasons: str) -> list[str]:
    return [one.message for one in world.events if one.reason in reasons]


def test_a_rank_that_is_slow_is_told_of_once_and_again_when_it_has_recovered() -> None:
    world = tells(pretraining(), 10)
    for step in (100, 110, 120):
        tells(world, step, stragglers=(SLOW,))
    assert said(world, "RankSlow", "RankRecovered") == [
        "Stage pretrain: rank 3 on node gpu-1 takes 1.6 times as long as the others for its own work, since step 61: "
        "look at that node's clocks, cooling and access to the volume."
    ]
    tells(tells(world, 130), 140)
    assert said(world, "RankRecovered") == ["Stage pretrain: rank 3 on node gpu-1 is as fast as the others again."]


def test_a_rank_of_an_attempt_that_has_ended_has_not_recovered() -> None:
    world = tells(pretraining(), 100, stragglers=(SLOW,))
    world.fails("pretrain", exit_code=75, result=Result(75, "PeerLost", "A peer went away.")).wait(10).wait(60)
    assert world.stage("pretrain").progress.stragglers == []
    tells(tells(world, 110), 120, stragglers=(SLOW,))
    assert len(said(world, "RankSlow")) == 2
    assert said(world, "RankRecovered") == []


def test_words_that_are_no_ranks_are_passed_over() -> None:
    odd = ({"rank": "three"}, "rank 3", {**SLOW, "times": float("nan")}, {**SLOW, "more": 1}, {**SLOW, "rank": 2**40})
    world = tells(pretraining(), 10, stragglers=(*odd, SLOW))
    assert [one.rank for one in world.stage("pretrain").progress.stragglers] == [3]


def test_the_status_keeps_what_the_last_preflight_came_to() -> None:
    world = tells(pretraining(), 0, preflight=FLOWN)
    told = world.stage("pretrain").preflight
    assert (told.attempt, told.ranks, told.measured, told.found) == (1, 2, FLOWN["measured"], None)
    assert (told.lowest, told.median) == ({"matmulTflops": 600.0}, {"matmulTflops": 605.0})
    tells(world, 10, preflight=FLOWN)
    assert world.stage("pretrain").preflight == told, "told again with each report"


def test_what_the_preflight_has_found_stands_there_when_the_attempt_has_ended() -> None:
    world = tells(pretraining(), 0)
    world.now += 1
    world.reports("pretrain", step=0, total=900, preflight=FLOWN | {"found": "Node n1 lets the gang down."})
    words = Result(75, "BadNode", "Node n1 lets the gang down.", output={"node": "n1"})
    world.fails("pretrain", exit_code=75, result=words).settle()
    assert world.stage("pretrain").preflight.found == "Node n1 lets the gang down."
    tells(world.wait(60), 10, preflight=FLOWN)
    assert (world.stage("pretrain").preflight.attempt, world.stage("pretrain").preflight.found) == (2, None)


def test_a_preflight_of_odd_words_is_told_as_far_as_it_can_be() -> None:
    odd = {"measured": "x" * 900, "seconds": "long", "ranks": 1e300, "lowest": {"a": "b", "c": 1.0}, "median": [1]}
    told = tells(pretraining(), 0, preflight=odd).stage("pretrain").preflight
    assert (len(told.measured), told.seconds, told.lowest, told.median) == (512, None, {"c": 1.0}, {})
    assert tells(pretraining(), 0, preflight="well").stage("pretrain").preflight is None  # type: ignore[arg-type]
