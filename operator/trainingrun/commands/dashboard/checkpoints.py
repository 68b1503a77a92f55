"""Checkpoints with their scores, as a table and as lines; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from trainingrun.api.status import CheckpointStatus
from trainingrun.commands.dashboard.curves import MOST, thinned
from trainingrun.plan.retained import LESS_IS_BETTER

ROWS: Final = 200  # of the table: nobody reads more, and a phone can't draw them
TASKS: Final = 24  # columns, and lines


def table(checkpoints: Sequence[CheckpointStatus]) -> dict[str, Any]:
    """The newest checkpoints first, a column for each task, the best score of each named; and how many are left out."""
    ordered = sorted(checkpoints, key=lambda one: one.step, reverse=True)
    tasks = _tasks(ordered)
    shown = tasks[:TASKS]
    rows = [
        {"step": one.step, "converted": one.converted, "scores": [(one.scores or {}).get(task) for task in shown]}
        for one in ordered[:ROWS]
    ]
    return {
        "tasks": [{"name": task, "better": _better(task), "best": _best(ordered, task)} for task in shown],
        "rows": rows,
        "leftOut": len(ordered) - len(rows),
        "tasksLeftOut": len(tasks) - len(shown),
    }


def scores(checkpoints: Sequence[CheckpointStatus]) -> list[dict[str, Any]]:
    """A picture for each metric, with a line for each task that is scored by it: scores by step."""
    ordered = sorted(checkpoints, key=lambda one: one.step)
    pictures: dict[str, list[dict[str, Any]]] = {}
    for task in _tasks(ordered)[:TASKS]:
        found = [(float(one.step), one.scores[task]) for one in ordered if one.scores and task in one.scores]
        line = {
            "key": task,
            "label": task.rpartition("/")[0] or task,
            "points": thinned(found, MOST),
            "all": len(found),
        }
        pictures.setdefault(_metric(task), []).append(line)
    return [{"metric": metric, "lines": lines} for metric, lines in pictures.items()]


def _tasks(checkpoints: Sequence[CheckpointStatus]) -> list[str]:
    return sorted({task for one in checkpoints for task in one.scores or {}})


def _metric(task: str) -> str:
    """The metric of a score's name, "task/metric" or "task/metric,filter"."""
    return task.rpartition("/")[2].partition(",")[0]


def _better(task: str) -> str:
    return "less" if _metric(task) in LESS_IS_BETTER else "more"


def _best(checkpoints: Sequence[CheckpointStatus], task: str) -> float | None:
    found = [one.scores[task] for one in checkpoints if one.scores and task in one.scores]
    if len(set(found)) < 2:
        return None
    return min(found) if _better(task) == "less" else max(found)
