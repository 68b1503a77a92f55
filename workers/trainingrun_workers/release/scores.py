"""The scores of one model, as the evaluate stage left them: as a table and as the hub's evaluation results."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeGuard

from trainingrun_workers.errors import BadConfig

STDERR: Final = "_stderr"
HARNESS: Final = "https://github.com/EleutherAI/lm-evaluation-harness"


@dataclass(frozen=True)
class Score:
    """One metric of one task."""

    task: str
    metric: str
    value: float
    stderr: float | None
    fewshot: int | None
    samples: int | None


@dataclass(frozen=True)
class Scores:
    """All scores of a model, in the order of tasks, and the version of the harness that gave them."""

    harness: str
    scores: tuple[Score, ...]


def read_scores(folder: Path, model: str) -> tuple[Scores, dict[str, Any]]:
    """The scores and the document they come from; BadConfig where the evaluation of that model is missing or torn."""
    file = folder / f"{model}.json"
    try:
        document: dict[str, Any] = json.loads(file.read_text())
        return Scores(str(document.get("harness", "")), tuple(_scores(document))), document
    except FileNotFoundError as error:
        raise BadConfig(
            "EvaluationMissing",
            f"There are no scores of {model!r} in {folder}: evaluate it, or release without scores.",
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadConfig(
            "EvaluationInvalid",
            f"The scores in {file} can't be read ({error!r}): take the file away and evaluate again.",
        ) from error


def _scores(document: dict[str, Any]) -> Iterator[Score]:
    for task, metrics in document["tasks"].items():
        for metric, value in metrics.items():
            name, comma, which = metric.partition(",")  # which of several filters of answers, as the harness has it
            if name.endswith(STDERR) or not _is_finite(value):
                continue
            stderr = metrics.get(f"{name}{STDERR}{comma}{which}")
            yield Score(
                task=task,
                metric=metric,
                value=float(value),
                stderr=float(stderr) if _is_finite(stderr) else None,
                fewshot=_number(document, "fewshot", task),
                samples=_number(document, "samples", task),
            )


def _is_finite(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _number(document: dict[str, Any], key: str, task: str) -> int | None:
    value = (document.get(key) or {}).get(task)
    return int(value) if _is_finite(value) else None


def evaluation_results(scores: Scores) -> list[Any]:
    """The scores as huggingface_hub.EvalResult, from which the card's model-index is made."""
    from huggingface_hub import EvalResult

    return [
        EvalResult(
            task_type="text-generation",
            task_name="Text Generation",
            dataset_type=one.task,
            dataset_name=one.task if one.fewshot is None else f"{one.task} ({one.fewshot}-shot)",
            dataset_args={} if one.fewshot is None else {"num_few_shot": one.fewshot},
            metric_type=one.metric.partition(",")[0],
            metric_name=one.metric,
            metric_value=one.value,
            source_name=f"lm-evaluation-harness {scores.harness}".strip(),
            source_url=HARNESS,
        )
        for one in scores.scores
    ]


def score_table(scores: Scores) -> str:
    """The scores as a Markdown table, a row a metric."""
    lines = ["| task | few-shot | samples | metric | value | ± |", "| --- | ---: | ---: | --- | ---: | ---: |"]
    for one in scores.scores:
        stderr = "" if one.stderr is None else f"{one.stderr:.4f}"
        cells = (one.task, _text(one.fewshot), _text(one.samples), one.metric, f"{one.value:.4f}", stderr)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _text(number: int | None) -> str:
    return "" if number is None else f"{number:,}"
