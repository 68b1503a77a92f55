"""Each question's score of one model beside the document of its evaluation, so that models can be compared in pairs.

`<folder>/questions/<model name>.json`, written before the document::

    {"key": as the document's, "scores": {"task/metric": [a number a question, in the data's order]}}

There are the main scores of tasks whose score is the mean of their questions' scores; a corpus' BLEU or F1 is not.
"""

import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.evaluate.results import TaskResult
from trainingrun_workers.volume import make_folder, write_atomic

FOLDER: Final = "questions"
CLOSE: Final = 1e-5  # between a score and its questions' mean, which are kept with six digits


def by_question(parts: Iterable[Iterable[Mapping[str, Any]]], metric: str, score: float) -> tuple[float, ...]:
    """One metric out of lm-eval's logged samples of a task, or of a group's tasks, which are its parts.

    `metric` is as `results.plain_metrics` names it. None are yielded where their mean isn't the `score`.
    """
    name, _, which = metric.partition(",")
    ordered = (one for part in parts for one in sorted(part, key=lambda one: int(one["doc_id"])))
    values = [one[name] for one in ordered if name in one["metrics"] and which in ("", one["filter"])]
    if not values or not all(_is_score(one) for one in values):
        return ()
    plain = tuple(_plain(one) for one in values)
    return plain if math.isclose(statistics.fmean(plain), score, abs_tol=CLOSE) else ()


def write_questions(document: Path, key: str, results: Iterable[TaskResult]) -> None:
    """Keep the questions' scores of a model whose document will be that file."""
    scores = {f"{one.name}/{one.main}": one.questions for one in results if one.questions}
    folder = make_folder(document.parent / FOLDER)
    write_atomic(folder / document.name, json.dumps({"key": key, "scores": scores}, separators=(",", ":")) + "\n")


def read_questions(document: Path, content: Mapping[str, Any]) -> dict[str, Sequence[float]]:
    """The questions' scores that belong to a document; those that don't agree with it are left out."""
    try:
        kept = json.loads((document.parent / FOLDER / document.name).read_text())
        if kept["key"] != content.get("key"):
            return {}
        return {name: values for name, values in kept["scores"].items() if _agrees(name, values, content)}
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _agrees(name: str, values: Sequence[float], content: Mapping[str, Any]) -> bool:
    task, _, metric = name.rpartition("/")
    score = content["tasks"].get(task, {}).get(metric)
    return bool(values) and score is not None and math.isclose(statistics.fmean(values), score, abs_tol=CLOSE)


def _is_score(value: Any) -> bool:
    try:
        return not isinstance(value, str | list | tuple | dict) and math.isfinite(value)
    except TypeError:
        return False


def _plain(value: Any) -> float:
    number = float(value)  # of NumPy's or Python's numbers and truth values
    return int(number) if number.is_integer() else float(f"{number:.6g}")
