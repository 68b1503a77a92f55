"""What is waited for without an end: room on the volume, and nodes for a whole gang."""

import pytest

from builders import World, a_manifest
from trainingrun.plan.observed import PodView
from trainingrun_workers.contract import Result

REFUSAL = "0/2 nodes are available: 2 Insufficient nvidia.com/gpu."


def pretraining(**recovery: str) -> World:
    pretrain = a_manifest()["spec"]["pretrain"]
    pretrain["recovery"] = pretrain.get("recovery", {}) | recovery
    return World(a_manifest(pretrain=pretrain)).settle().completes("tokenize").settle()


def fills_the_volume(world: World, step: int | None = None) -> None:
    message = "The volume has no room for checkpoint 300: make room on it."
    world.fails("pretrain", 75, Result(75, "VolumeFull", message, step=step), index=1).settle()


def seconds_until_the_next_attempt(world: World) -> float:
    attempt, before = world.stage("pretrain").attempt, world.now
    while world.stage("pretrain").attempt == attempt:
        pause = world.plan().requeue_after
        assert pause is not None
        assert world.now - before < 1000
        world.wait(max(pause, 1))
    return world.now - before


def is_refused(world: World, *indices: int, message: str = REFUSAL) -> World:
    for index in indices:
        world.change_pod("pretrain", index, phase="Pending", node="", started=False, unschedulable=message)
    return world.settle()


def test_a_full_volume_is_waited_for_with_a_condition_that_says_so() -> None:
    world = pretraining()
    fills_the_volume(world)
    stage, stalled = world.stage("pretrain"), world.condition("Stalled")
    assert (stage.phase, stage.reason, stage.restarts, stage.preemptions) == ("Waiting", "VolumeFull", 0, 0)
    assert (stalled.status, stalled.reason) == ("True", "VolumeFull")
    assert "make room on it" in stalled.message
    assert "tried again in 30 s" in stalled.message
    assert not [one for one in world.work.values() if one.stage == "pretrain"]


def test_a_full_volume_is_tried_more_and_more_rarely_and_never_given_up() -> None:
    world, waits = pretraining(), []
    for _ in range(60):
        fills_the_volume(world)
        waits.append(seconds_until_the_next_attempt(world))
    assert [round(one / 30) for one in waits[:6]] == [1, 2, 4, 8, 10, 10]
    stage = world.stage("pretrain")
    assert (stage.phase, stage.attempt, stage.restarts, stage.stalled) == ("Running", 61, 0, 0)
    assert len(world.run.status.attempts) == 20


def test_training_goes_on_when_there_is_room_and_the_next_full_volume_is_tried_soon_again() -> None:
    world = pretraining()
    for _ in range(4):
        fills_the_volume(world, step=300)
        seconds_until_the_next_attempt(world)
    world.reports("pretrain", step=650, total=900, checkpoint=600, checkpoints=(300, 600)).settle()
    assert world.condition("Stalled").status == "False"
    fills_the_volume(world, step=600)
    assert round(seconds_until_the_next_attempt(world) / 30) == 1


def test_a_full_volume_between_two_crashes_does_not_hide_a_crash_loop() -> None:
    world = pretraining()
    for _ in range(5):
        world.fails("pretrain", 137).settle().wait(400)
        if world.stage("pretrain").phase == "Running":
            fills_the_volume(world)
            world.wait(400)
    assert (world.stage("pretrain").phase, world.stage("pretrain").reason) == ("Failed", "CrashLoop")


@pytest.mark.parametrize("refused", [(0, 1), (1,)])
def test_a_gang_without_room_gives_back_what_it_holds(refused: tuple[int, ...]) -> None:
    world = is_refused(pretraining(schedulingTimeout="2m"), *refused)
    assert world.stage("pretrain").phase == "Running"
    assert world.condition("Stalled").reason == "Unschedulable"
    assert world.plan().requeue_after == pytest.approx(120)
    world.wait(119)
    assert world.stage("pretrain").phase == "Running"
    world.wait(1)
    stage, attempt, stalled = world.stage("pretrain"), world.run.status.attempts[-1], world.condition("Stalled")
    assert (stage.phase, stage.reason, stage.restarts, stage.preemptions) == ("Waiting", "Unschedulable", 0, 0)
    assert (attempt.cause, attempt.step) == ("Unschedulable", None)
    assert REFUSAL in (attempt.message or "")
    assert (stalled.status, stalled.reason, REFUSAL in stalled.message) == ("True", "Unschedulable", True)
    assert not [pod for pod in world.pods.values() if pod.stage == "pretrain" and pod.phase == "Running"]


def test_half_a_gang_gives_back_even_if_nobody_says_why_the_rest_is_missing() -> None:
    world = pretraining(schedulingTimeout="2m")
    del world.pods["tiny-pretrain-a1-1"]
    world.wait(121)
    assert world.run.status.attempts[-1].cause == "Unschedulable"
    assert "only 1 of the 2 pods" in (world.run.status.attempts[-1].message or "")


@pytest.mark.parametrize(
    ("stuck", "reason", "words"),
    [
        ({"waiting_reason": "ImagePullBackOff", "waiting_image": "x:y"}, "ImagePullFailed", "can't pull image x:y"),
        ({"waiting_reason": "CreateContainerConfigError"}, "ContainerCannotStart", "CreateContainerConfigError"),
    ],
)
def test_a_gang_one_of_whose_pods_cannot_start_gives_back_what_the_others_hold(
    stuck: dict[str, str], reason: str, words: str
) -> None:
    world = pretraining(schedulingTimeout="2m")
    world.change_pod("pretrain", 1, phase="Pending", started=False, **stuck).settle()
    world.wait(119)
    assert world.stage("pretrain").phase == "Running"
    world.wait(1)
    stage, stalled = world.stage("pretrain"), world.condition("Stalled")
    assert (stage.phase, stage.reason, stage.restarts) == ("Waiting", reason, 0)
    assert (stalled.status, stalled.reason, words in stalled.message) == ("True", reason, True)
    assert world.run.status.attempts[-1].cause == "NotStarted"
    assert not [pod for pod in world.pods.values() if pod.stage == "pretrain"]
    assert round(seconds_until_the_next_attempt(world) / 30) == 1


def test_the_scheduler_has_the_word_where_it_says_anything() -> None:
    world = pretraining(schedulingTimeout="2m")
    del world.pods["tiny-pretrain-a1-1"]
    world.now += 10
    name = "tiny-pretrain-a1-2"
    world.pods[name] = PodView(name, "pretrain", 1, 1, "Pending", unschedulable=REFUSAL, created_at=world.now)
    world.settle().wait(121)
    assert REFUSAL in (world.run.status.attempts[-1].message or "")


def test_a_gang_that_a_queue_holds_back_is_not_timed() -> None:
    world = pretraining(schedulingTimeout="2m")
    for index in (0, 1):
        world.change_pod("pretrain", index, phase="Pending", node="", started=False)
    world.wait(100_000)
    assert (world.stage("pretrain").phase, world.stage("pretrain").attempt) == ("Running", 1)


def test_a_gang_whose_pods_nobody_makes_says_so_and_goes_on_when_somebody_does() -> None:
    world = pretraining(schedulingTimeout="2m")
    pods = {name: world.pods.pop(name) for name in ("tiny-pretrain-a1-0", "tiny-pretrain-a1-1")}
    world.wait(50)
    assert world.condition("Stalled").status == "False"
    assert world.plan().requeue_after == 10.0
    world.wait(10)
    stalled = world.condition("Stalled")
    assert (stalled.status, stalled.reason, "training-operator" in stalled.message) == ("True", "PodsMissing", True)
    world.pods |= pods
    world.settle()
    assert world.condition("Stalled").status == "False"
    assert world.stage("pretrain").reason == "Running"


def test_a_gang_that_is_running_is_never_given_back() -> None:
    world = pretraining(schedulingTimeout="2m").wait(100_000)
    assert (world.stage("pretrain").phase, world.stage("pretrain").attempt) == ("Running", 1)


def test_room_in_the_cluster_is_looked_for_more_and_more_rarely_until_a_gang_starts() -> None:
    world, waits = pretraining(schedulingTimeout="2m"), []
    for _ in range(6):
        is_refused(world, 0, 1).wait(120)
        waits.append(seconds_until_the_next_attempt(world))
    assert [round(one / 30) for one in waits] == [1, 2, 4, 8, 10, 10]
    world.fails("pretrain", 143).settle()
    is_refused(world, 0, 1).wait(120)
    assert round(seconds_until_the_next_attempt(world) / 30) == 1
    assert world.stage("pretrain").restarts == 0


def test_a_full_volume_after_a_full_cluster_is_tried_soon() -> None:
    world = pretraining(schedulingTimeout="2m")
    for _ in range(4):
        is_refused(world, 0, 1).wait(120)
        seconds_until_the_next_attempt(world)
    fills_the_volume(world)
    assert round(seconds_until_the_next_attempt(world) / 30) == 1


def test_each_time_a_gang_gives_back_is_told_in_the_log_book() -> None:
    world = pretraining(schedulingTimeout="2m")
    for _ in range(3):
        is_refused(world, 0, 1).wait(120)
        seconds_until_the_next_attempt(world)
    told = [one.message for one in world.events if one.reason == "Unschedulable" and "tried again" in one.message]
    assert len(told) == 3


def test_pods_of_a_job_are_waited_for_where_they_are() -> None:
    world = World().settle()
    world.change_pod("tokenize", 1, phase="Pending", node="", started=False, unschedulable=REFUSAL)
    world.wait(100_000)
    assert (world.stage("tokenize").phase, world.stage("tokenize").attempt) == ("Running", 1)
    assert world.condition("Stalled").reason == "Unschedulable"


def test_a_pod_that_has_ended_waits_for_no_node() -> None:
    world = pretraining(schedulingTimeout="2m")
    world.pods["tiny-pretrain-a1-1"] = PodView(
        "tiny-pretrain-a1-1", "pretrain", 1, 1, "Failed", status_reason="Evicted", created_at=world.now
    )
    world.now += 1000
    world.settle()
    assert next(one for one in world.run.status.attempts if one.stage == "pretrain").cause == "Evicted"
