"""What the evaluate stage's pod is asked, of sets and of tasks by themselves."""

from typing import Any, get_args

from builders import SETTINGS, a_training_run
from trainingrun.api.task_sets import TASK_SETS, TaskSet
from trainingrun.stages import evaluate
from trainingrun.stages.context import Context
from trainingrun_workers.contract import EvaluateSpec, EvaluationTask


def spec(**changes: Any) -> EvaluateSpec:
    run = a_training_run(evaluate={"gpus": 0, **changes})
    context = Context(run, SETTINGS)
    need = evaluate.need(context, next(one for one in context.instances if one.kind == "evaluate"), (300,))
    assert isinstance(need.spec, EvaluateSpec)
    return need.spec


def test_a_set_becomes_its_tasks_with_the_reports_few_shot_numbers() -> None:
    assert spec(taskSets=["it"]).tasks == (
        EvaluationTask("m_mmlu_it", 5), EvaluationTask("hellaswag_it", 0), EvaluationTask("arc_it", 0),
    )  # fmt: skip


def test_sets_come_before_tasks_and_a_task_that_is_in_both_is_asked_once_as_it_was_written() -> None:
    asked = spec(taskSets=["ifeval", "it"], tasks=[{"name": "own"}, {"name": "arc_it", "fewshot": 25, "limit": 9}])
    assert asked.tasks == (
        EvaluationTask("ifeval", 0), EvaluationTask("m_mmlu_it", 5), EvaluationTask("hellaswag_it", 0),
        EvaluationTask("arc_it", 25, 9), EvaluationTask("own"),
    )  # fmt: skip


def test_data_sets_are_looked_for_in_the_folder_that_is_named_and_in_none_otherwise() -> None:
    assert spec(taskSets=["it"], datasetFolder="/data/sets/").dataset_folder == "data/sets"
    assert spec(taskSets=["it"]).dataset_folder is None


def test_every_set_has_a_name_in_the_schema_and_no_task_is_in_two() -> None:
    assert set(TASK_SETS) == set(get_args(TaskSet))
    names = [name for tasks in TASK_SETS.values() for name, _ in tasks]
    assert len(names) == len(set(names))
