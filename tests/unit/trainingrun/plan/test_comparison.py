"""Other models' scores and the report: when they start, and what makes them start again."""

from builders import World, a_manifest, a_manifest_that_compares
from trainingrun.api import names


def compared(*models: str) -> list[dict[str, str]]:
    return [{"name": model, "path": f"models/{model}"} for model in models]


def evaluate_with(*models: str) -> dict[str, object]:
    return {**a_manifest()["spec"]["evaluate"], "compareWith": compared(*models)}


def stages_applied_since(world: World, count: int) -> list[str]:
    return [
        one["metadata"]["labels"][names.LABEL_STAGE]
        for one in world.everything_ever_applied[count:]
        if one["kind"] != "ConfigMap"
    ]


def test_comparison_models_are_looked_at_as_soon_as_the_data_are_there() -> None:
    world = World(a_manifest_that_compares()).settle()
    assert world.stage("compare").phase == "Pending"
    world.completes("tokenize").settle()
    assert world.stage("compare").phase == world.stage("pretrain").phase == "Running"


def test_the_report_waits_for_the_scores_of_every_model() -> None:
    world = World(a_manifest_that_compares()).pretrained()
    for stage in ("convert", "evaluate"):
        while world.stage(stage).phase == "Running":
            world.finishes_batch(stage)
    for stage in ("release", "sft-translate", "evaluate-translate", "dpo-prefer", "evaluate-prefer"):
        assert world.stage("report").phase == "Pending"
        world.completes(stage).settle()
    assert (world.stage("report").phase, world.stage("report").message) == ("Pending", "Waiting for stage compare.")
    world.completes("compare").settle()
    assert world.stage("report").phase == "Running"


def test_a_release_does_not_wait_for_a_comparison() -> None:
    world = World(a_manifest_that_compares()).pretrained()
    for stage in ("convert", "evaluate"):
        while world.stage(stage).phase == "Running":
            world.finishes_batch(stage)
    assert world.stage("compare").phase == "Running"
    assert world.stage("release").phase == "Running"


def test_a_model_added_to_a_finished_run_is_all_that_is_evaluated() -> None:
    world = World().finished()
    count = len(world.everything_ever_applied)
    world.edit(evaluate=evaluate_with("other"))
    world.settle().completes("compare").settle().completes("report").settle()
    assert stages_applied_since(world, count) == ["compare", "report"]
    assert world.run.status.phase == "Succeeded"


def test_a_model_that_is_only_named_otherwise_is_not_evaluated_again() -> None:
    world = World(a_manifest_that_compares()).finished()
    count = len(world.everything_ever_applied)
    evaluate = evaluate_with()
    evaluate["compareWith"] = [{"name": "renamed", "path": "/volume/models/other"}]
    world.edit(evaluate=evaluate)
    world.settle().completes("report").settle()
    assert stages_applied_since(world, count) == ["report"]


def test_a_model_taken_away_leaves_a_report_without_it() -> None:
    world = World(a_manifest_that_compares()).finished()
    count = len(world.everything_ever_applied)
    world.edit(evaluate=evaluate_with())
    world.settle().completes("report").settle()
    assert stages_applied_since(world, count) == ["report"]
    assert "compare" not in {stage.name for stage in world.run.status.stages}
    assert world.run.status.phase == "Succeeded"


def test_a_comparison_that_failed_begins_again_with_a_corrected_path_and_everything_else_went_on() -> None:
    world = World(a_manifest_that_compares()).settle().completes("tokenize").settle()
    world.fails("compare", 78).settle().wait(6)
    assert world.stage("compare").phase == "Failed"
    assert world.stage("pretrain").phase == "Running"
    world.edit(evaluate=evaluate_with("elsewhere"))
    world.settle()
    assert (world.stage("compare").phase, world.stage("compare").attempt) == ("Running", 2)
