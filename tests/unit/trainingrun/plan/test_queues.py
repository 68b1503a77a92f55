"""Jobs that wait in a queue, which another controller keeps: Kueue's documented contract."""

import dataclasses
from typing import Any

import pytest

from builders import World, a_manifest
from trainingrun.api import names
from trainingrun.api.status import GpuHours


def queued(queue: str | None = "team-a") -> World:
    """A run in a queue whose first Job has just been made; the queue holds its pods back."""
    world = World(a_manifest(scheduling={"queueName": queue} if queue else {}))
    world.step()
    world.step()
    return holds(world, "tokenize")


def holds(world: World, stage: str) -> World:
    """The queue has suspended a stage's newest attempt, whose pods are gone."""
    name = world.attempt(stage)
    world.work[name] = dataclasses.replace(world.work[name], suspended=True)
    world.pods = {pod: view for pod, view in world.pods.items() if not pod.startswith(f"{name}-")}
    return world.settle()


def admits(world: World, stage: str) -> World:
    """The queue lets an attempt go on: its pods are made."""
    name = world.attempt(stage)
    manifest = next(one for key, one in world.objects.items() if key.endswith(f"Job/{name}"))
    writes = len(world.everything_ever_applied)
    world._apply(manifest)
    del world.everything_ever_applied[writes:]  # made by the queue, not by the operator
    return world.settle()


def work(world: World) -> list[dict[str, Any]]:
    return [one for one in world.everything_ever_applied if one["kind"] in ("Job", "PyTorchJob")]


def test_every_job_of_a_queued_run_is_made_suspended_with_the_queues_label() -> None:
    objects = World(a_manifest(scheduling={"queueName": "team-a"})).finished().everything_ever_applied
    kinds = {one["kind"]: one for one in objects}
    assert {"Job", "PyTorchJob", "ConfigMap"} <= set(kinds)
    for one in objects:
        inside = one.get("spec", {})
        suspended = inside.get("suspend") or inside.get("runPolicy", {}).get("suspend")
        labels = one["metadata"]["labels"]
        if one["kind"] in ("Job", "PyTorchJob"):
            assert (labels[names.LABEL_QUEUE], suspended) == ("team-a", True)
        else:
            assert (labels.get(names.LABEL_QUEUE), suspended) == (None, None)


def test_pods_do_not_inherit_the_label_since_kueue_would_queue_them_once_more() -> None:
    objects = World(a_manifest(scheduling={"queueName": "team-a"})).finished().everything_ever_applied
    templates = [one["spec"]["template"] for one in objects if one["kind"] == "Job"]
    for one in objects:
        templates += [replica["template"] for replica in one.get("spec", {}).get("pytorchReplicaSpecs", {}).values()]
    assert templates
    assert not [one for one in templates if names.LABEL_QUEUE in one["metadata"]["labels"]]


def test_a_run_without_a_queue_has_neither() -> None:
    for one in World().finished().everything_ever_applied:
        assert names.LABEL_QUEUE not in one["metadata"]["labels"]
        assert "suspend" not in one.get("spec", {})


def test_an_attempt_that_waits_in_the_queue_says_so_and_needs_nobody() -> None:
    world = queued()
    stage = world.stage("tokenize")
    assert (stage.phase, stage.reason) == ("Running", "Queued")
    assert stage.message == "Job tiny-tokenize-a1 waits in queue team-a until it is admitted."
    assert world.condition("Stalled").status == "False"
    assert world.condition("Progressing").message == "Queued: tokenize."


def test_it_may_wait_for_ever_and_holds_nothing_meanwhile() -> None:
    manifest = a_manifest(scheduling={"queueName": "team-a"})
    manifest["spec"]["pretrain"] |= {"gpusPerNode": 8}
    manifest["spec"]["pretrain"]["config"]["parallelism"] = {"dp": 16, "tp": 1, "pp": 1}
    world = World(manifest).settle().completes("tokenize").settle()
    holds(world, "pretrain").wait(1_000_000)
    assert (world.stage("pretrain").attempt, world.stage("pretrain").reason) == (1, "Queued")
    world.edit(suspend=True)
    world.settle()
    assert world.run.status.gpu_hours == GpuHours()


def test_an_admitted_attempt_runs_and_nobody_writes_it_again() -> None:
    world = admits(queued(), "tokenize")
    assert world.stage("tokenize").reason == "Running"
    world.wait(10_000)
    assert len(work(world)) == 1


def test_an_admission_that_is_taken_back_ends_the_attempt_and_the_next_one_queues_again() -> None:
    world = admits(queued(), "tokenize")
    name = world.attempt("tokenize")
    world.work[name] = dataclasses.replace(world.work[name], suspended=True)
    world.change_pod("tokenize", 0, deleting=True, phase="Failed", exit_code=143, ended_at=world.now).settle()
    stage = world.stage("tokenize")
    assert (stage.attempt, stage.restarts, stage.preemptions) == (2, 0, 1)
    attempt = next(one for one in world.run.status.attempts if one.number == 1)
    assert (attempt.cause, attempt.exit_code) == ("Dequeued", 143)
    assert work(world)[-1]["spec"]["suspend"] is True


def test_bad_data_stay_bad_data_in_a_queue() -> None:
    world = admits(queued(), "tokenize")
    name = world.attempt("tokenize")
    world.work[name] = dataclasses.replace(world.work[name], suspended=True)
    world.fails("tokenize", 65).settle()
    assert world.stage("tokenize").phase == "Failed"


def test_another_queue_takes_an_attempt_that_still_waits_and_leaves_one_that_runs() -> None:
    world = queued()
    world.edit(scheduling={"queueName": "team-b"})
    world.settle()
    assert world.stage("tokenize").attempt == 2
    assert work(world)[-1]["metadata"]["labels"][names.LABEL_QUEUE] == "team-b"
    running = admits(queued(), "tokenize")
    running.edit(scheduling={"queueName": "team-b"})
    running.settle()
    assert running.stage("tokenize").attempt == 1


def test_what_something_else_has_suspended_is_told_too() -> None:
    stage = queued(queue=None).stage("tokenize")
    assert stage.reason == "Queued"
    assert "suspended by something other than the run" in stage.message


@pytest.mark.parametrize("scheduler", [None, "whole-gangs"])
def test_the_scheduler_is_that_of_gangs_only(scheduler: str | None) -> None:
    objects = World(a_manifest(scheduling={"schedulerName": scheduler} if scheduler else {})).finished()
    for one in objects.everything_ever_applied:
        if one["kind"] == "Job":
            assert "schedulerName" not in one["spec"]["template"]["spec"]
        for replica in one.get("spec", {}).get("pytorchReplicaSpecs", {}).values():
            assert replica["template"]["spec"].get("schedulerName") == scheduler
