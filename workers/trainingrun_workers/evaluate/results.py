"""What the evaluation of one model leaves: a document on the volume, and the few scores that go into the status.

The document, `<folder>/<model name>.json`::

    {"model", "step", "tasks": {task: {metric: value, metric_stderr: value}}, "main": {task: metric},
     "higherIsBetter": {task: {metric: bool}}, "versions": {task: …}, "fewshot": {task: number},
     "samples": {task: number}, "limits": {task: number or null}, "subtasks": {group: {task: {metric: value}}},
     "seed", "batchSize", "dtype", "harness": "0.4.13", "key"}

`key` is a hash of all that scores depend on besides the model: another key means another evaluation.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.contract import EvaluatedModel, EvaluateSpec

STDERR: Final = "_stderr"
_DIGITS: Final = 6  # significant ones of a score in a result, which has to stay short


@dataclass
class TaskResult:
    """One task's scores of one model; a group's own scores have those of its tasks beside them."""

    name: str
    metrics: dict[str, float]
    main: str | None
    higher_is_better: dict[str, bool]
    version: Any
    fewshot: int | None
    samples: int | None
    subtasks: dict[str, dict[str, float]] = field(default_factory=dict)
    questions: tuple[float, ...] = ()  # the main score of each; none where the task's is not their mean


def evaluation_key(spec: EvaluateSpec, harness: str, digests: Mapping[str, str | None]) -> str:
    """The hash of tasks with their definitions and data, seed, batch size and the harness' version."""
    tasks = [[task.name, task.fewshot, task.limit, digests.get(task.name)] for task in spec.tasks]
    text = json.dumps([harness, spec.seed, spec.batch_size, spec.cpu, tasks])
    return hashlib.sha256(text.encode()).hexdigest()


def document(
    model: EvaluatedModel, spec: EvaluateSpec, harness: str, key: str, dtype: str, results: list[TaskResult]
) -> dict[str, Any]:
    """The document of one model."""
    limits = {task.name: task.limit for task in spec.tasks}
    return {
        "model": model.name,
        "step": model.step,
        "tasks": {one.name: one.metrics for one in results},
        "main": {one.name: one.main for one in results if one.main},
        "higherIsBetter": {one.name: one.higher_is_better for one in results},
        "versions": {one.name: one.version for one in results},
        "fewshot": {one.name: one.fewshot for one in results},
        "samples": {one.name: one.samples for one in results},
        "limits": {one.name: limits.get(one.name) for one in results},
        "subtasks": {one.name: one.subtasks for one in results if one.subtasks},
        "seed": spec.seed,
        "batchSize": spec.batch_size,
        "dtype": dtype,
        "harness": harness,
        "key": key,
    }


def read_document(path: Path, key: str) -> dict[str, Any] | None:
    """A model's document, or None where it is missing, torn or of another evaluation."""
    try:
        content = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return content if isinstance(content, dict) and content.get("key") == key else None


def main_scores(content: dict[str, Any]) -> dict[str, float]:
    """A document's main scores by "task/metric"."""
    return {
        f"{task}/{metric}": float(f"{content['tasks'][task][metric]:.{_DIGITS}g}")
        for task, metric in content["main"].items()
        if math.isfinite(content["tasks"][task][metric])
    }


def main_metric(metrics: Mapping[str, float], listed: list[str]) -> str | None:
    """The metric that stands for a task: the first that its definition lists, else the first there is."""
    scores = [name for name in metrics if not name.endswith(STDERR)]
    return next((name for one in listed for name in scores if name.partition(",")[0] == one), next(iter(scores), None))


def plain_metrics(raw: Mapping[str, Any]) -> dict[str, float]:
    """lm-eval's {"acc,none": …, "acc_stderr,none": …, "alias": …} as {"acc": …, "acc_stderr": …}.

    The name of a filter stays, behind a comma, only where a metric is there under several. What isn't a number goes.
    """
    values = {name: float(value) for name, value in raw.items() if "," in name and _is_number(value)}
    filters: dict[str, set[str]] = {}
    for name in values:
        metric, _, which = name.partition(",")
        filters.setdefault(metric, set()).add(which)
    return {
        name.partition(",")[0] if len(filters[name.partition(",")[0]]) == 1 else name: value
        for name, value in values.items()
    }


def _is_number(value: Any) -> bool:
    try:
        return not isinstance(value, str | bool) and math.isfinite(float(value))
    except (TypeError, ValueError):
        return False
