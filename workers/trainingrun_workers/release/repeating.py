"""The commands that repeat a model's scores with lm-evaluation-harness alone."""

import shlex
from collections.abc import Mapping
from typing import Any, Final

TASKS_FOLDER: Final = "TASKS"  # stands for the run's folder of task files in the commands


def commands(evaluation: Mapping[str, Any], dtype: str, own_tasks: bool) -> list[str]:
    """A command for all tasks of equal shots and limit; `evaluation` is the evaluate stage's document.

    `dtype` is the weights' own, which the harness is told where the document doesn't say in which type it computed.
    """
    groups: dict[tuple[Any, Any], list[str]] = {}
    limits = evaluation.get("limits") or {}
    for task in evaluation.get("tasks") or {}:
        shots = (evaluation.get("fewshot") or {}).get(task)
        groups.setdefault((shots, limits.get(task)), []).append(task)
    return [_command(evaluation, dtype, own_tasks, tasks, *key) for key, tasks in groups.items()]


def _command(
    evaluation: Mapping[str, Any], dtype: str, own_tasks: bool, tasks: list[str], shots: int | None, limit: int | None
) -> str:
    computed = str(evaluation.get("dtype") or dtype)
    words: list[Any] = ["lm_eval", "--model", "hf", "--model_args", f"pretrained=.,dtype={computed}"]
    words += ["--tasks", ",".join(tasks)]
    options = {
        "--num_fewshot": shots,
        "--limit": limit,
        "--seed": evaluation.get("seed"),
        "--batch_size": evaluation.get("batchSize"),
        "--include_path": TASKS_FOLDER if own_tasks else None,
    }
    for name, value in options.items():
        if value is not None:
            words += [name, value]
    return shlex.join(str(word) for word in words)
