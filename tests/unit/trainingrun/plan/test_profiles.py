"""A profile is asked for once, of the attempt that trains, and reaches it with the answer to its reports."""

import pytest

from builders import World, a_manifest
from trainingrun.api import names
from trainingrun.plan import profiles
from trainingrun_workers.contract import Profile

TIME = "2026-11-29T12:00:00.000000001Z"
NAME = "2026-11-29T12-00-00.000000001Z"


def asks(world: World, what: str) -> World:
    world.manifest["metadata"].setdefault("annotations", {})[names.ANNOTATION_ASKED] = what
    return world.settle()


def training() -> World:
    world = World(a_manifest(evaluate=None)).settle().completes("tokenize").settle()
    return world.reports("pretrain", step=320, total=900).settle()


def wanted(world: World, attempt: int) -> Profile | None:
    return profiles.wanted(world.stage("pretrain").profile, attempt)


def answer(world: World) -> str:
    return str(world.run.status.answer)


@pytest.mark.parametrize(("rank", "told", "said"), [("0", 0, "rank 0"), ("all", None, "all ranks")], ids=["one", "all"])
def test_the_attempt_that_trains_is_told_and_no_other(rank: str, told: int | None, said: str) -> None:
    world = asks(training(), f"profile 5 {rank} {TIME}")
    assert answer(world) == f"Attempt 1 of stage pretrain profiles 5 steps of {said} as {NAME}."
    assert wanted(world, 1) == Profile(NAME, 1, 5, told)
    assert wanted(world, 2) is None
    assert (world.stage("pretrain").phase, world.stage("pretrain").attempt) == ("Running", 1)


def test_a_second_one_waits_until_the_first_is_over() -> None:
    world = asks(training(), f"profile 5 0 {TIME}")
    asks(world, "profile 3 0 2026-11-29T12:00:01Z")
    assert answer(world) == f"Nothing was done: it is being profiled already, as {NAME}; wait for that."
    assert wanted(world, 1) == Profile(NAME, 1, 5, 0)


def test_one_that_is_over_is_told_and_another_may_follow() -> None:
    world = asks(training(), f"profile 5 0 {TIME}")
    world.wait(60).reports("pretrain", step=330, total=900, profile=NAME).settle()
    assert world.stage("pretrain").progress.profile == NAME
    asks(world, "profile 3 0 2026-11-29T12:01:00Z")
    assert answer(world).startswith("Attempt 1 of stage pretrain profiles 3 steps")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("profile 0 0 1", "a profile is of 1 to 100 steps."), ("profile 101 0 1", "a profile is of 1 to 100 steps."),
        ("profile five 0 1", "a profile is of 1 to 100 steps."),
        ("profile 5 0 ../../1", "a profile is of 1 to 100 steps."),
        ("profile 5 7 1", "there is no rank 7; the last one is 1."),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused(asked: str, said: str) -> None:
    world = asks(training(), asked)
    assert answer(world) == f"Nothing was done: {said}"
    assert wanted(world, 1) is None


def test_a_stage_that_does_not_train_is_not_profiled() -> None:
    world = asks(World(a_manifest(evaluate=None)).settle(), f"profile 5 0 {TIME}")
    assert answer(world).startswith("Nothing was done: stage pretrain is not training now: ")
    world = training().completes("pretrain", {"checkpoints": [0, 300, 600, 900]}).settle()
    assert asks(world, f"profile 5 0 {TIME}") and (world.run.status.answer or "").startswith("Nothing was done")
