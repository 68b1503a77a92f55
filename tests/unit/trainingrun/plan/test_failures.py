"""What follows when something dies."""

import pytest

from builders import World, a_manifest
from failure_cases import CASES
from trainingrun.plan.causes import BUDGETS, CAUSES
from trainingrun.plan.observed import ClaimView, Neighbour
from trainingrun_workers.contract import ExitCode, Result


def pretraining() -> World:
    return World().settle().completes("tokenize").settle()


def said(world: World) -> tuple[str, str]:
    return world.stage("pretrain").phase, world.run.status.attempts[-1].cause or ""


def test_one_dead_pod_ends_the_whole_gang_and_a_new_one_follows() -> None:
    world = pretraining().reports("pretrain", step=320, total=900, checkpoint=300, checkpoints=(0, 300)).settle()
    world.fails("pretrain", 137, index=1).settle()
    assert world.stage("pretrain").phase == "Waiting"
    assert "tiny-pretrain-a1" not in world.work
    world.wait(11)
    assert world.stage("pretrain").attempt == 2
    assert world.work["tiny-pretrain-a2"].kind == "PyTorchJob"
    assert len([pod for pod in world.pods.values() if pod.stage == "pretrain"]) == 2


def test_the_attempts_end_is_recorded_before_its_object_goes() -> None:
    world = pretraining().fails("pretrain", 137)
    world.step()
    assert world.run.status.attempts[-1].cause == "Killed"
    assert "tiny-pretrain-a1" in world.work
    world.step()
    assert "tiny-pretrain-a1" not in world.work


def test_a_new_attempt_waits_until_the_old_pods_are_gone() -> None:
    world = pretraining().fails("pretrain", 137, index=1)
    world.step()
    stuck = world.pods["tiny-pretrain-a1-0"]
    world.step()
    world.pods[stuck.name] = stuck
    world.wait(60)
    assert world.stage("pretrain").attempt == 1
    assert "tiny-pretrain-a1-0" in world.stage("pretrain").message
    del world.pods[stuck.name]
    world.settle()
    assert world.stage("pretrain").attempt == 2


def test_every_cause_of_the_table_has_its_case_here() -> None:
    assert set(CASES) == {cause.name for cause in CAUSES}


@pytest.mark.parametrize("cause", CASES)
def test_each_cause_is_recognised_and_counted_against_its_budget(cause: str) -> None:
    world = pretraining()
    world.fails("pretrain", **({"exit_code": 1} | CASES[cause])).settle().wait(6)
    attempt = next(one for one in world.run.status.attempts if one.stage == "pretrain")
    assert attempt.cause == cause
    stage = world.stage("pretrain")
    counted = {"infrastructure": (1, 0), "preemption": (0, 1)}.get(BUDGETS[cause], (0, 0))
    assert (stage.restarts, stage.preemptions) == counted
    assert attempt.node == "node-1"
    assert (stage.phase == "Failed") == (BUDGETS[cause] in ("fail", "loss"))


def test_a_pod_whose_rank_was_killed_for_memory_does_not_know_it_and_the_kubelet_does() -> None:
    words = Result(75, "RankLost", "Rank 0 ended without a word.", step=300)
    world = pretraining().fails("pretrain", 75, words, ended_reason="OOMKilled").settle()
    attempt = next(one for one in world.run.status.attempts if one.stage == "pretrain")
    assert (attempt.cause, attempt.step, said(world)[1]) == ("OutOfMemory", 300, "OutOfMemory")
    assert "raise the memory limit" in (attempt.message or "")


@pytest.mark.parametrize("code", [ExitCode.BAD_DATA, ExitCode.BAD_CONFIG])
def test_bad_data_and_bad_configuration_are_never_tried_again(code: int) -> None:
    world = World().settle()
    world.fails(
        "tokenize", code, Result(code, "SourceMissing", "Source a has no file at raw/a: mend its path.")
    ).settle()
    world.wait(100_000)
    assert (world.stage("tokenize").attempt, world.run.status.phase) == (1, "Failed")
    assert world.condition("Failed").reason == "SourceMissing"
    assert "mend its path" in world.condition("Failed").message


def test_a_mended_spec_goes_on_where_a_failed_stage_stopped() -> None:
    world = World().settle()
    world.fails("tokenize", 65).settle()
    data = world.manifest["spec"]["data"]
    data[0]["textKey"] = "content"
    world.edit(data=data)
    world.settle()
    assert (world.stage("tokenize").phase, world.stage("tokenize").attempt) == ("Running", 2)


def test_a_mended_input_is_taken_even_while_the_failed_attempts_object_is_still_there() -> None:
    world = World(a_manifest(tokenize={"parallelism": 1, "shards": 4})).settle()
    world.fails("tokenize", 65).settle()
    assert "tiny-tokenize-a1" in world.work
    data = world.manifest["spec"]["data"]
    data[0]["textKey"] = "content"
    world.edit(data=data)
    world.settle()
    assert world.condition("Valid").status == "True"
    assert (world.stage("tokenize").phase, world.stage("tokenize").attempt) == ("Running", 2)


def test_a_kind_that_vanishes_while_a_gang_is_being_made_is_told_and_waited_for() -> None:
    world = World().settle().completes("tokenize")
    while world.stage("pretrain").phase != "Running":
        world.step()
    world.pytorchjobs_served = False
    world.settle()
    assert world.condition("Stalled").reason == "PyTorchJobMissing"
    assert "tiny-pretrain-a1" not in world.work
    world.pytorchjobs_served = True
    world.settle()
    assert "tiny-pretrain-a1" in world.work


def test_the_weightiest_word_of_the_gang_wins_over_that_of_a_peer_that_only_suffered() -> None:
    world = pretraining().fails("pretrain", 75, Result(75, "PeerLost", "A peer went away."), index=0)
    world.settle()
    assert said(world) == ("Running", "")
    world.now += 1
    world.fails("pretrain", 65, Result(65, "NonFiniteLoss", "The loss is not a number."), index=1).settle()
    assert said(world) == ("Failed", "BadLoss")


def test_failures_are_waited_out_longer_and_longer_and_progress_resets_that() -> None:
    world = pretraining()
    waits = []
    for step in (None, None, 300):
        world.fails("pretrain", 137, Result(137, "Killed", "Killed.", step=step)).settle()
        before = world.now
        while world.stage("pretrain").phase != "Running":
            world.wait(1)
        waits.append(world.now - before)
    assert waits[1] > 1.5 * waits[0]
    assert waits[2] == waits[0]


def test_a_crash_loop_ends_early() -> None:
    world = pretraining()
    for _ in range(5):
        world.fails("pretrain", 1).wait(6).wait(400)
    stage = world.stage("pretrain")
    assert (stage.phase, stage.reason, stage.attempt) == ("Failed", "CrashLoop", 5)
    assert "without progress" in stage.message
    assert world.run.status.phase == "Failed"


def test_the_restart_budget_ends_a_run_that_keeps_failing_with_progress() -> None:
    world = pretraining()
    for attempt in range(11):
        world.fails("pretrain", 137, Result(137, "Killed", "Killed.", step=attempt + 1)).settle().wait(400)
    assert world.stage("pretrain").reason == "RestartBudgetExhausted"


def test_preemptions_are_not_counted_and_not_delayed() -> None:
    world = pretraining()
    for _ in range(30):
        world.fails("pretrain", 143).settle()
    stage = world.stage("pretrain")
    assert (stage.phase, stage.attempt, stage.restarts, stage.preemptions) == ("Running", 31, 0, 30)


def test_suspend_ends_what_runs_and_resuming_goes_on_with_the_next_attempt() -> None:
    world = pretraining()
    world.edit(suspend=True)
    world.settle()
    assert (world.run.status.phase, world.stage("pretrain").phase) == ("Suspended", "Suspended")
    assert world.condition("Suspended").status == "True"
    assert not [work for work in world.work.values() if work.stage == "pretrain"]
    world.edit(suspend=False)
    world.settle()
    assert (world.stage("pretrain").phase, world.stage("pretrain").attempt) == ("Running", 2)
    assert world.stage("pretrain").preemptions == 0


def test_a_pod_stranded_on_a_lost_node_is_removed_by_force() -> None:
    world = pretraining()
    world.change_pod("pretrain", 1, deleting=True, delete_grace_ended=True, node_ready=False)
    plan = world.plan()
    assert [(one.name, one.force) for one in plan.delete if one.kind == "Pod"] == [("tiny-pretrain-a1-1", True)]


def test_a_failed_variant_does_not_keep_the_base_model_from_its_release() -> None:
    world = World().pretrained()
    for stage in ("convert", "evaluate"):
        while world.stage(stage).phase == "Running":
            world.finishes_batch(stage)
    world.fails("sft-translate", 65).settle()
    world.completes("release").settle()
    assert world.stage("release").phase == "Succeeded"
    assert world.run.status.phase == "Failed"
    assert world.stage("sft-prefer").message.startswith("As stage sft-translate: ")


def test_a_missing_claim_is_waited_for() -> None:
    world = World()
    world.claim = None
    world.settle()
    assert not world.objects
    assert world.condition("Stalled").reason == "ClaimMissing"
    world.claim = ClaimView("quickstart", "Bound", ("ReadWriteMany",), 2.0**40)
    world.settle()
    assert world.stage("tokenize").phase == "Running"
    assert world.condition("Stalled").status == "False"


def test_a_claim_is_made_where_the_run_asks_for_one() -> None:
    world = World(a_manifest(storage={"claim": {"size": "10Gi"}}))
    world.claim = None
    world.step()
    world.step()
    claim = world.objects["PersistentVolumeClaim/tiny"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert "ownerReferences" not in claim["metadata"]


def test_a_claim_for_one_node_is_refused_to_several_pods() -> None:
    world = World()
    world.claim = ClaimView("quickstart", "Bound", ("ReadWriteOnce",), 2.0**40)
    world.settle()
    assert world.condition("Stalled").reason == "ClaimNotShared"
    assert not world.objects


def test_a_cluster_without_pytorchjobs_tokenizes_and_then_says_what_is_missing() -> None:
    world = World()
    world.pytorchjobs_served = False
    world.settle().completes("tokenize").settle()
    assert world.stage("pretrain").reason == "PyTorchJobMissing"
    assert "training-operator" in world.condition("Stalled").message
    world.pytorchjobs_served = True
    world.settle()
    assert world.stage("pretrain").phase == "Running"


def test_two_runs_never_write_one_folder_at_once() -> None:
    world = World()
    folder = World().settle().stage("tokenize").folder
    world.neighbours = (Neighbour("older", "2027-01-01T00:00:00Z", (folder,)),)
    world.settle()
    assert world.stage("tokenize").reason == "FolderInUse"
    world.neighbours = ()
    world.settle()
    assert world.stage("tokenize").phase == "Running"


def test_tokens_that_another_run_makes_are_waited_for_and_named() -> None:
    world = World()
    tokens = World().settle().stage("tokenize").tokens
    assert list(tokens) == ["handbook-en", "handbook-it", "python"]
    shared = (tokens["handbook-en"], tokens["python"])
    world.neighbours = (Neighbour("older", "2027-01-01T00:00:00Z", ("artifacts/tokenize/other", *shared)),)
    world.settle()
    assert world.stage("tokenize").reason == "FolderInUse"
    assert "Run older makes the same tokens of handbook-en, python on claim" in world.stage("tokenize").message
    world.neighbours = (Neighbour("older", "2027-01-01T00:00:00Z", ("artifacts/tokens/another",)),)
    world.settle()
    assert world.stage("tokenize").phase == "Running"
    assert world.stage("tokenize").tokens == tokens


def test_tokens_that_are_complete_are_not_waited_for_although_a_stage_made_of_them_goes_on() -> None:
    world = World()
    tokens = World().settle().stage("tokenize").tokens
    world.neighbours = (Neighbour("older", "2027-01-01T00:00:00Z", tuple(tokens.values())),)
    world.made = frozenset({tokens["handbook-en"], tokens["python"]})
    world.settle()
    assert "Run older makes the same tokens of handbook-it on claim" in world.stage("tokenize").message
    world.made = frozenset(tokens.values())
    world.settle()
    assert world.stage("tokenize").phase == "Running"


@pytest.mark.parametrize(
    ("pod", "reason", "words"),
    [
        ({"waiting_reason": "ImagePullBackOff", "waiting_image": "x:y"}, "ImagePullFailed", "x:y"),
        ({"unschedulable": "0/3 nodes are available"}, "Unschedulable", "0/3 nodes"),
        ({"waiting_reason": "CreateContainerConfigError"}, "ContainerCannotStart", "CreateContainerConfigError"),
    ],
)
def test_a_stuck_pod_is_told_in_the_conditions(pod: dict[str, str], reason: str, words: str) -> None:
    world = World().settle()
    world.change_pod("tokenize", phase="Pending", started=False, **pod).settle()
    assert world.condition("Stalled").reason == reason
    assert words in world.condition("Stalled").message
    assert world.condition("Progressing").status == "False"


def test_a_stuck_attempt_is_replaced_when_the_run_is_mended() -> None:
    world = World().settle()
    for index in (0, 1):
        world.change_pod("tokenize", index, phase="Pending", started=False, unschedulable="no room")
    world.settle()
    world.edit(tokenize={"shards": 4, "parallelism": 1})
    world.settle()
    stage = world.stage("tokenize")
    assert (stage.attempt, stage.restarts, stage.preemptions) == (2, 0, 0)


def test_an_object_that_the_api_server_refuses_is_told() -> None:
    world = World()
    world.step()
    world.problems = {"tiny-tokenize-a1": "exceeded quota: jobs=0."}
    plan = world.plan()
    stalled = next(one for one in plan.status.conditions if one.type == "Stalled")
    assert (stalled.reason, "exceeded quota" in stalled.message) == ("ObjectRefused", True)


def test_an_invalid_spec_starts_nothing_and_is_told_with_its_path() -> None:
    world = World(a_manifest())
    world.manifest["spec"]["pretrain"]["config"]["tokens"]["train_stepz"] = 5
    world.settle()
    assert not world.objects
    assert world.condition("Valid").status == "False"
    assert "train_stepz" in world.condition("Valid").message


def test_a_changed_input_of_a_started_stage_is_refused_and_the_stage_goes_on() -> None:
    world = pretraining()
    world.manifest["spec"]["pretrain"]["config"]["general"]["seed"] = 99
    world.edit()
    world.settle()
    assert world.condition("Valid").reason == "InputsChanged"
    assert world.stage("pretrain").phase == "Running"
