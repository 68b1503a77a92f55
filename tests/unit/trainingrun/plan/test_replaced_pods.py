"""A Job of several pods that replaces those that die: what ends its attempt, and what it mends by itself."""

import dataclasses
from typing import Any

import pytest

from builders import World, a_claim, a_manifest
from failure_cases import CASES
from trainingrun.plan.causes import BUDGETS, CAUSES
from trainingrun_workers.contract import Result


def tokenizing(**tokenize: Any) -> World:
    return World(a_manifest(tokenize={"shards": 4, "parallelism": 2} | tokenize)).settle()


def causes(world: World) -> list[str | None]:
    return [one.cause for one in world.run.status.attempts if one.stage == "tokenize"]


MENDED = [cause.name for cause in CAUSES if cause.mended]
ENDS = [cause.name for cause in CAUSES if not cause.mended]


def test_what_the_job_does_not_mend_is_what_the_user_must_what_has_no_room_and_what_a_node_took_along() -> None:
    assert ENDS == ["BadLoss", "BadData", "BadConfig", "NodeLost", "VolumeFull"]


@pytest.mark.parametrize("cause", MENDED)
def test_a_pod_that_dies_by_this_is_replaced_and_the_attempt_goes_on(cause: str) -> None:
    world = tokenizing()
    world.fails("tokenize", **({"exit_code": 1} | CASES[cause])).settle().wait(100)
    assert (world.stage("tokenize").attempt, causes(world)) == (1, [None])
    world.change_pod("tokenize", phase="Failed").replaces("tokenize").wait(100)
    world.completes("tokenize", {"tokens": 7}).settle()
    stage = world.stage("tokenize")
    assert (stage.phase, stage.attempt, stage.restarts, stage.preemptions) == ("Succeeded", 1, 0, 0)


@pytest.mark.parametrize("cause", ENDS)
def test_this_ends_the_attempt_at_once_although_the_other_pod_works_on(cause: str) -> None:
    world = tokenizing()
    world.fails("tokenize", **({"exit_code": 1} | CASES[cause])).settle()
    assert causes(world)[0] == cause
    assert world.stage("tokenize").reason == (CASES[cause]["result"].reason if "result" in CASES[cause] else cause)


def test_a_job_that_has_failed_is_judged_by_the_pods_that_none_has_replaced() -> None:
    world = tokenizing()
    world.fails("tokenize", 137, ended_reason="OOMKilled").replaces("tokenize").wait(10)
    world.fails("tokenize", 143, index=1).replaces("tokenize", 1).wait(10)
    replaced = next(pod for pod in world.pods if pod.endswith("-0") and "again" in pod)
    crashed = {"phase": "Failed", "exit_code": 1, "ended_at": world.now}
    world.pods[replaced] = dataclasses.replace(world.pods[replaced], **crashed)
    world.settle()
    assert causes(world) == [None]
    world.change_pod("tokenize", 1, phase="Succeeded")
    world.gives_up("tokenize").settle().wait(6)
    stage = world.stage("tokenize")
    assert (causes(world), stage.restarts, stage.preemptions) == (["Crashed"], 1, 0)
    assert world.run.status.attempts[0].pod == replaced


def test_a_job_never_fails_by_preemptions_and_without_another_word_it_is_counted() -> None:
    world = tokenizing().fails("tokenize", 143)
    world.gives_up("tokenize").settle().wait(16)
    assert (causes(world)[0], BUDGETS["JobFailed"], world.stage("tokenize").restarts) == (
        "JobFailed", "infrastructure", 1,
    )  # fmt: skip


def test_a_node_that_goes_away_after_its_pod_has_ended_takes_nothing_along() -> None:
    world = tokenizing()
    world.fails("tokenize", 137, node_ready=False).settle()
    assert causes(world) == [None]
    world.replaces("tokenize").settle()
    world.change_pod("tokenize", 1, phase="Succeeded", exit_code=0, node_ready=False).settle()
    assert causes(world) == [None]


def test_another_number_of_pods_replaces_the_attempt_and_is_counted_nowhere() -> None:
    world = tokenizing()
    world.edit(tokenize={"shards": 4, "parallelism": 3})
    world.settle()
    stage = world.stage("tokenize")
    assert (stage.phase, stage.attempt, stage.restarts, stage.preemptions) == ("Running", 2, 0, 0)
    assert causes(world) == ["Replaced", None]
    assert world.run.status.attempts[0].message == (
        "tokenize.parallelism was changed: 3 pods instead of 2 go on with what is not done."
    )
    assert world.work["tiny-tokenize-a2"].pods == 3
    assert "tiny-tokenize-a1" not in world.work
    world.edit(tokenize={"shards": 4, "parallelism": 1})
    world.settle()
    last = world.objects[f"Job/{world.attempt('tokenize')}"]["spec"]
    assert (last["completions"], last["backoffLimit"], "completionMode" in last) == (1, 0, False)


@pytest.mark.parametrize(
    "change",
    [
        {"resources": {"requests": {"cpu": "3"}}},
        {"nodeSelector": {"disk": "fast"}},
        {"priorityClassName": "low"},
    ],
)
def test_nothing_else_about_the_pods_restarts_an_attempt_that_runs(change: dict[str, Any]) -> None:
    world = tokenizing()
    world.edit(tokenize={"shards": 4, "parallelism": 2} | change)
    world.wait(1000)
    assert causes(world) == [None]


def test_more_pods_than_there_can_be_units_are_as_many_as_there_can_be() -> None:
    world = tokenizing(parallelism=12)
    world.edit(tokenize={"shards": 4, "parallelism": 1000})
    world.settle()
    assert (world.work["tiny-tokenize-a1"].pods, causes(world)) == (12, [None])


def test_what_could_not_start_again_is_not_replaced() -> None:
    world = tokenizing(parallelism=1)
    world.claim = a_claim(access_modes=("ReadWriteOnce",))
    world.edit(tokenize={"shards": 4, "parallelism": 2})
    world.settle()
    assert causes(world) == [None]


def test_a_job_with_another_number_of_pods_than_asked_for_is_left_alone_until_the_run_changes() -> None:
    world = tokenizing()
    world.work["tiny-tokenize-a1"] = dataclasses.replace(world.work["tiny-tokenize-a1"], pods=1)
    world.wait(100)
    assert causes(world) == [None]


def test_a_missing_secret_is_told_in_the_kubelets_words_and_a_mended_name_starts_the_pods_anew() -> None:
    manifest = a_manifest()
    manifest["spec"]["data"][0] |= {"path": "s3://bucket/en", "secretName": "mistyped"}
    world = World(manifest).settle()
    waiting = {"waiting_reason": "CreateContainerConfigError", "waiting_message": 'secret "mistyped" not found'}
    for index in (0, 1):
        world.change_pod("tokenize", index, phase="Pending", started=False, **waiting)
    world.settle()
    stalled = world.condition("Stalled")
    assert (stalled.reason, 'secret "mistyped" not found' in stalled.message) == ("ContainerCannotStart", True)
    manifest["spec"]["data"][0]["secretName"] = "s3"
    world.edit(data=manifest["spec"]["data"])
    world.settle()
    assert causes(world) == ["Replaced", None]
    pod = world.objects["Job/tiny-tokenize-a2"]["spec"]["template"]["spec"]
    assert pod["containers"][0]["envFrom"] == [{"secretRef": {"name": "s3"}}]


FIGURES = {"tokens": 3_000_000_000, "documents": 1_000_000, "bytes": 12_000_000_000, "estimateError": 0.0123}


def test_the_finished_stage_shows_what_was_made_and_how_far_the_estimate_was_off() -> None:
    english = {"name": "en", "folder": "artifacts/tokens/1", "tokens": 5, "documents": 2, "broken": 0, "empty": 1}
    world = tokenizing().completes("tokenize", FIGURES | {"sources": [english]}).settle()
    assert world.stage("tokenize").output == {
        "bytes": "12000000000", "documents": "1000000", "estimateError": "0.0123", "tokens": "3000000000",
        "en.tokens": "5", "en.documents": "2", "en.empty": "1",
    }  # fmt: skip


def test_progress_shows_the_rates_of_all_pods_and_what_was_left_out_of_each_source() -> None:
    world = tokenizing()
    counts = {"textBytesPerSecond": 2.5e6, "documents": 7.0, "broken": 0.0, "en.documents": 7.0, "en.empty": 2.0}
    notes = ("fastokens is not used: its tokens differ.",)
    for index in (0, 1):
        fields = {"index": index, "step": 3, "total": 9, "unit": "shards", "tokens_per_second": 5e5, "notes": notes}
        world.reports("tokenize", **fields, counts=counts)
        world.snapshots[f"tokenize-{index}"] = world.snapshots.pop("tokenize")
    world.reports("tokenize", index=2, time=world.now - 600, total=9, tokens_per_second=9e9)
    world.wait(30)
    progress = world.stage("tokenize").progress
    assert (progress.tokens_per_second, progress.text_bytes_per_second) == (1e6, 5e6)
    assert progress.counts == {"documents": 7, "en.documents": 7, "en.empty": 2}
    assert progress.notes == list(notes)


@pytest.mark.parametrize("counts", [{"a": None, "b": "x", "textBytesPerSecond": []}, [1], None])
def test_counts_that_are_none_are_left_out(counts: Any) -> None:
    world = tokenizing().reports("tokenize", step=1, total=9, counts=counts).wait(30)
    assert world.stage("tokenize").progress.counts == {}


def test_of_pods_that_end_in_the_same_second_the_one_that_saw_everything_is_believed() -> None:
    world = tokenizing().completes("tokenize", FIGURES)
    early = Result(0, "Completed", "This pod's units are done.", output={"tokens": 5})
    world.change_pod("tokenize", 1, result=early).settle()
    assert world.stage("tokenize").output["tokens"] == "3000000000"


def test_an_index_that_is_given_up_is_told_while_the_others_work_on() -> None:
    world = tokenizing()
    name = world.attempt("tokenize")
    world.work[name] = dataclasses.replace(world.work[name], given_up="1")
    world.change_pod("tokenize", 0, phase="Running").settle()
    stage = world.stage("tokenize")
    assert (stage.phase, stage.attempt, stage.reason) == ("Running", 1, "PodGivenUp")
    assert "given up its pod of index 1," in stage.message
    world.work[name] = dataclasses.replace(world.work[name], given_up="0-1")
    assert "given up its pod of index 0-1," in world.settle().stage("tokenize").message
    world.gives_up("tokenize").settle().wait(16)
    assert (causes(world)[0], world.stage("tokenize").reason) == ("JobFailed", "JobFailed")


def pretraining_by(engine: str) -> World:
    pretrain = a_manifest()["spec"]["pretrain"] | {"engine": engine}
    world = World(a_manifest(pretrain=pretrain)).settle()
    return world.completes("tokenize").settle()


def test_another_number_of_nodes_replaces_the_torch_engines_gang_which_goes_on_in_its_folder() -> None:
    world = pretraining_by("torch")
    before = world.stage("pretrain")
    world.edit(pretrain=world.manifest["spec"]["pretrain"] | {"nodes": 3})
    world.settle()
    stage = world.stage("pretrain")
    assert (stage.phase, stage.attempt, stage.restarts, stage.folder) == ("Running", 2, 0, before.folder)
    (ended,) = [one for one in world.run.status.attempts if one.stage == "pretrain" and one.ended_at]
    assert ended.message == "pretrain.nodes was changed: 3 nodes instead of 2 go on with the same global batch."
    assert world.work["tiny-pretrain-a2"].pods == 3


def test_another_number_of_nodes_leaves_nanotrons_gang_alone() -> None:
    world = pretraining_by("nanotron")
    world.edit(pretrain=world.manifest["spec"]["pretrain"] | {"nodes": 3})
    world.settle()
    assert world.stage("pretrain").attempt == 1
    assert world.work["tiny-pretrain-a1"].pods == 2
