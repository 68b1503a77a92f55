"""The way of a run from its first pass to its last, with no cluster."""

from builders import PREFER, TRANSLATE, World, a_manifest
from trainingrun.api import names


def phases(world: World) -> dict[str, str]:
    return {stage.name: stage.phase for stage in world.run.status.stages}


def test_the_first_stage_starts_and_the_others_wait_for_it() -> None:
    world = World().settle()
    assert world.stage("tokenize").phase == "Running"
    assert {phase for name, phase in phases(world).items() if name != "tokenize"} == {"Pending"}
    assert [key for key in world.objects] == ["ConfigMap/tiny-tokenize-a1", "Job/tiny-tokenize-a1"]


def test_the_attempts_number_is_in_the_status_before_its_object_exists() -> None:
    world = World()
    world.step()
    assert world.stage("tokenize").attempt == 1
    assert not world.work
    world.step()
    assert "tiny-tokenize-a1" in world.work


def test_a_whole_run_ends_succeeded_with_every_checkpoint_scored() -> None:
    world = World().finished()
    status = world.run.status
    assert status.phase == "Succeeded"
    assert set(phases(world).values()) == {"Succeeded"}
    assert {one.step: one.scores for one in status.checkpoints} == {
        step: {"task/acc": step / 1000} for step in (0, 300, 600, 900)
    }
    assert world.condition("Succeeded").status == world.condition("Ready").status == "True"


def test_checkpoints_are_converted_and_evaluated_while_pretraining_goes_on() -> None:
    world = World().settle().completes("tokenize").settle()
    world.reports("pretrain", step=310, total=900, checkpoint=300, checkpoints=(0, 300)).settle()
    assert world.stage("convert").batch == [0, 300]
    world.finishes_batch("convert")
    assert world.stage("evaluate").batch == [0, 300]
    world.finishes_batch("evaluate")
    assert world.stage("pretrain").phase == "Running"
    assert world.stage("evaluate").phase == "Waiting"
    assert [one.scores for one in world.run.status.checkpoints] == [{"task/acc": 0.0}, {"task/acc": 0.3}]


def test_a_complete_batch_stays_for_its_logs_until_the_next_one_starts() -> None:
    world = World().settle().completes("tokenize").settle()
    world.reports("pretrain", step=310, total=900, checkpoint=300, checkpoints=(0, 300)).settle()
    world.finishes_batch("convert")
    assert world.stage("convert").phase == "Waiting"
    assert "tiny-convert-a1" in world.work
    world.reports("pretrain", step=610, total=900, checkpoint=600, checkpoints=(0, 300, 600)).settle()
    assert [name for name in world.work if "convert" in name] == ["tiny-convert-a2"]


def test_a_finished_run_asks_for_no_write() -> None:
    world = World().finished()
    plan = world.plan()
    assert (plan.apply, plan.delete, plan.events) == ((), (), ())
    assert plan.status == world.run.status


def test_a_running_stage_asks_for_no_write_while_nothing_changes() -> None:
    world = World().settle()
    world.now += 3600
    assert not world.step()


def test_without_an_evaluation_there_is_no_evaluate_stage_and_only_the_last_checkpoint_is_converted() -> None:
    world = World(a_manifest(evaluate=None, variants=[])).settle().completes("tokenize").settle()
    world.completes("pretrain", {"checkpoints": [300, 600, 900]}).settle()
    assert world.stage("convert").batch == [900]
    world.completes("convert").settle().completes("release").settle()
    assert world.run.status.phase == "Succeeded"


def test_a_variant_added_to_a_finished_run_trains_only_that() -> None:
    world = World(a_manifest(variants=[])).settle()
    world.completes("tokenize").settle()
    world.completes("pretrain", {"checkpoints": [0, 300, 600, 900]}).settle()
    for stage in ("convert", "evaluate"):
        while world.stage(stage).phase == "Running":
            world.finishes_batch(stage)
    world.completes("release").settle().completes("report").settle()
    assert world.run.status.phase == "Succeeded"
    applied = len(world.everything_ever_applied)
    world.edit(variants=a_manifest()["spec"]["variants"])
    world.settle()
    fresh = {one["metadata"]["labels"][names.LABEL_STAGE] for one in world.everything_ever_applied[applied:]}
    assert fresh == {"sft-translate"}
    assert world.run.status.phase == "Running"
    for stage in (*TRANSLATE, *PREFER[1:]):
        world.completes(stage).settle()
    assert world.stage("report").attempt == 2, "the new model belongs into the comparison"


def test_changed_questions_are_asked_of_every_checkpoint_again() -> None:
    world = World().finished()
    evaluate = world.manifest["spec"]["evaluate"] | {"tasks": [{"name": "held_out_en"}]}
    world.edit(evaluate=evaluate)
    world.settle()
    assert world.stage("evaluate").batch == [0, 300, 600, 900]
    assert world.stage("pretrain").phase == "Succeeded"


def test_progress_reaches_the_status_at_most_once_in_ten_seconds() -> None:
    world = World().settle().completes("tokenize").settle()
    world.reports("pretrain", step=10, total=900, loss=7.5, tokens_per_second=900.0, eta_seconds=200.0).settle()
    assert world.stage("pretrain").progress.step == 10
    assert (world.run.status.progress, world.run.status.loss, world.run.status.eta) == ("10/900", "7.500", "3m20s")
    world.now += 5
    world.reports("pretrain", step=50, total=900)
    assert not world.step()
    world.now += 6
    world.reports("pretrain", step=110, total=900).settle()
    assert world.stage("pretrain").progress.step == 110


def test_a_report_of_an_earlier_attempt_is_not_taken_for_this_ones() -> None:
    world = World().settle().completes("tokenize").settle()
    world.reports("pretrain", step=10, total=900, attempt=7)
    assert not world.step()
    assert world.stage("pretrain").progress is None


def test_the_log_book_has_a_line_for_each_stage_and_each_evaluated_checkpoint() -> None:
    world = World().finished()
    reasons = [event.reason for event in world.events]
    assert reasons.count("StageSucceeded") == len(world.run.status.stages)
    assert reasons.count("CheckpointEvaluated") == 4
    assert reasons[-1] == "Succeeded"


def test_a_run_that_is_being_deleted_is_left_to_the_garbage_collector() -> None:
    world = World().settle()
    world.manifest["metadata"]["deletionTimestamp"] = "2027-01-15T09:00:00Z"
    assert not world.step()


def test_a_status_of_another_version_does_not_stop_a_run() -> None:
    world = World().settle()
    world.manifest["status"]["somethingNew"] = {"a": 1}
    world.manifest["status"]["stages"][0]["colour"] = "green"
    assert world.run.status.stages[0].phase == "Running"


def test_the_status_stays_far_below_its_bound_with_the_longest_history() -> None:
    world = World(a_manifest(tokenize={"parallelism": 1})).settle()
    for _ in range(30):
        if world.stage("tokenize").phase == "Failed":
            world.edit(suspend=False)
            world.settle()
        world.fails("tokenize", 1, status_message="x" * 5000).settle().wait(6).wait(400)
    assert len(world.run.status.attempts) <= 20
    assert len(world.run.status.model_dump_json(by_alias=True)) < 64 * 1024
