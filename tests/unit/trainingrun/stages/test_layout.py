"""Folders on the volume: shared where inputs agree, another where they don't, and no knob moves them."""

import copy
from typing import Any

import pytest

from builders import SETTINGS, a_training_run
from trainingrun.api.task_sets import TASK_SETS
from trainingrun.manifests.meta import digest
from trainingrun.stages.context import Context
from trainingrun.stages.layout import compared_name, token_folders


def folders(name: str = "tiny", **spec: Any) -> dict[str, str]:
    context = Context(a_training_run(name, **spec), SETTINGS)
    return {stage: place.folder for stage, place in context.places.items()}


def changed(part: str, change: Any) -> dict[str, Any]:
    spec = copy.deepcopy(a_training_run().spec.model_dump(by_alias=True, exclude_none=True))
    change(spec[part])
    return {part: spec[part]}


def test_two_runs_that_agree_share_every_folder_but_those_that_bear_their_name() -> None:
    one, other = folders("one"), folders("other")
    differ = {stage for stage in one if one[stage] != other[stage]}
    assert differ == {"release", "release-translate", "release-prefer", "report"}


KNOBS = {
    "checkpoints kept": ("pretrain", lambda one: one["checkpoints"].update(keepLast=9, keepEvery=100)),
    "recovery": ("pretrain", lambda one: one["recovery"].update(maxRestarts=99, hangTimeout="1m")),
    "resources": ("pretrain", lambda one: one["resources"].update(requests={"cpu": "3"})),
    "logging": ("pretrain", lambda one: one["config"]["logging"].update(iteration_step_info_interval=1)),
    "pods": ("tokenize", lambda one: one.update(parallelism=7)),
    "a Secret": ("data", lambda one: one[0].update(secretName="other")),
}


@pytest.mark.parametrize("knob", KNOBS)
def test_a_knob_moves_no_folder(knob: str) -> None:
    part, change = KNOBS[knob]
    assert folders(**changed(part, change)) == folders()


INPUTS = {
    "seed": ("pretrain", lambda one: one["config"]["general"].update(seed=9), "pretrain"),
    "learning rate": (
        "pretrain",
        lambda one: one["config"]["optimizer"]["learning_rate_scheduler"].update(learning_rate=0.1),
        "pretrain",
    ),
    "shards": ("tokenize", lambda one: one.update(shards=9), "tokenize"),
    "text key": ("data", lambda one: one[0].update(textKey="content"), "tokenize"),
    "language score": ("data", lambda one: one[0].update(languageScore={"min": 0.65}), "tokenize"),
    "weight": ("data", lambda one: one[0].update(weight=0.7), "pretrain"),
    "questions": ("evaluate", lambda one: one.update(tasks=[{"name": "held_out_en"}]), "evaluate"),
    "sets of questions": ("evaluate", lambda one: one.update(taskSets=["pt"]), "evaluate"),
    "data sets": ("evaluate", lambda one: one.update(datasetFolder="datasets"), "evaluate"),
}


@pytest.mark.parametrize("name", INPUTS)
def test_an_input_moves_its_stage_and_what_comes_after_and_nothing_before(name: str) -> None:
    part, change, first = INPUTS[name]
    before, after = folders(), folders(**changed(part, change))
    order = list(before)
    moved = [stage for stage in order if before[stage] != after[stage]]
    assert moved[0] == first
    assert {"release", "release-translate"} <= set(moved)


def test_a_sources_tokens_are_shared_by_runs_that_mix_it_otherwise() -> None:
    mixed = a_training_run(**changed("data", lambda one: one.reverse()))
    plain = a_training_run()
    assert token_folders(mixed, Context(mixed, SETTINGS).translated) == token_folders(
        plain, Context(plain, SETTINGS).translated
    )


def test_an_evaluation_without_sets_and_data_sets_keeps_the_folder_it_had_before_there_were_any() -> None:
    run = a_training_run()
    context = Context(run, SETTINGS)
    evaluate = run.spec.evaluate
    assert evaluate is not None and evaluate.tasks
    inputs = {
        "engine": "lm-eval-0.4.13",
        "models": context.places["convert"].inputs,
        "tasks": [task.model_dump() for task in evaluate.tasks],
        "folder": evaluate.task_folder,
        "seed": evaluate.seed,
    }
    assert context.places["evaluate"].inputs == digest(inputs)


def test_a_set_and_the_tasks_it_stands_for_are_the_same_evaluation() -> None:
    tasks = [{"name": name, "fewshot": fewshot} for name, fewshot in TASK_SETS["it"]]
    by_set = folders(**changed("evaluate", lambda one: one.update(tasks=[], taskSets=["it"])))
    by_name = folders(**changed("evaluate", lambda one: one.update(tasks=tasks)))
    assert by_set["evaluate"] == by_name["evaluate"] != folders()["evaluate"]


def compared(*paths: str) -> dict[str, Any]:
    models = [{"name": f"model-{number}", "path": path} for number, path in enumerate(paths)]
    return changed("evaluate", lambda one: one.update(compareWith=models))


def test_other_models_to_compare_with_move_no_folder_but_the_reports() -> None:
    before, after = folders(), folders(**compared("models/a"))
    assert {stage for stage in before if before[stage] != after[stage]} == {"report"}


def test_scores_of_comparison_models_lie_together_whoever_asked_for_them() -> None:
    one, other = folders("one", **compared("models/a")), folders("other", **compared("models/b", "models/c"))
    assert one["compare"] == other["compare"] != folders()["evaluate"]
    assert compared_name("/volume/models/a") == compared_name("models/a") != compared_name("models/b")


def test_other_questions_lie_elsewhere() -> None:
    asked = changed("evaluate", lambda one: one.update(seed=1, compareWith=[{"name": "a", "path": "models/a"}]))
    assert folders(**asked)["compare"] != folders(**compared("models/a"))["compare"]


def test_scores_of_runs_that_began_before_there_were_comparisons_lie_where_they_did() -> None:
    context = Context(a_training_run(), SETTINGS)
    evaluate = context.run.spec.evaluate
    assert evaluate is not None
    before = {
        "engine": "lm-eval-0.4.13",
        "models": context.places["convert"].inputs,
        "tasks": [task.model_dump() for task in evaluate.tasks],
        "folder": "evaluation",
        "seed": 1234,
    }
    assert context.places["evaluate"].inputs == digest(before)
