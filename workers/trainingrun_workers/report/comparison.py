"""The comparison of all models of a run with each other and with others, out of the documents of their evaluations.

comparison.json::

    {"run", "reference": name, "harness", "seed", "level": 0.05,
     "series": {"task/metric": {"task", "metric", "higherIsBetter", "fewshot", "language", "acrossTokenizers": bool}},
     "models": [{"name", "role", "scores": {"task/metric": value}, "stderr": {"task/metric": value},
                 "languages": {"it/acc": {"score", "stderr", "tasks"}}, "sameTokenizer": bool, "problems": [sentence],
                 "marks": {},
        "differences": {"task/metric": {"difference", "z", "p", "corrected", "paired": bool,
                                        "verdict": "better", "worse" or null}}}]}

The first model is the reference, with which every other one is tested.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from trainingrun_workers.evaluate.progression import progression
from trainingrun_workers.report.languages import language
from trainingrun_workers.report.significance import LEVEL, Difference, Scores, differences

# Perplexities that are counted by bytes or by words of the text; any other is counted by tokens.
BY_TEXT: Final = frozenset({"bits_per_byte", "byte_perplexity", "word_perplexity"})


@dataclass(frozen=True)
class Candidate:
    """A model with the document of its evaluation."""

    name: str
    role: str
    document: Mapping[str, Any]
    vocabulary: str | None  # a digest of its tokenizer's vocabulary; None where that isn't known
    questions: Mapping[str, Sequence[float]] = field(default_factory=dict)  # by "task/metric", a score of each


def comparison(run: str, candidates: list[Candidate]) -> dict[str, Any]:
    """The comparison's document; the first candidate is the reference and says which tasks there are."""
    reference = candidates[0]
    content = progression([dict(reference.document)], "")
    mixed = {one.vocabulary for one in candidates} != {reference.vocabulary} or reference.vocabulary is None
    series = {
        name: {**one, "language": language(one["task"]), "acrossTokenizers": not mixed or by_text(one["metric"])}
        for name, one in content["series"].items()
    }
    first = content["steps"][0]
    models = [_model(one, reference, series, first) for one in candidates]
    shared = {key: content[key] for key in ("harness", "seed")}
    return {"run": run, "reference": reference.name, **shared, "level": LEVEL, "series": series, "models": models}


def by_text(metric: str) -> bool:
    """Whether a metric means the same for models with different tokenizers."""
    name = metric.partition(",")[0]
    return name in BY_TEXT or "perplexity" not in name


def _model(one: Candidate, reference: Candidate, series: dict[str, Any], first: Mapping[str, Any]) -> dict[str, Any]:
    own = progression([dict(one.document)], "")["steps"][0]
    scores = {name: own["scores"][name] for name in series if name in own["scores"]}
    errors = {name: own["stderr"][name] for name in scores if name in own["stderr"]}
    problems = [*(one.document.get("problems") or ())]
    found: dict[str, Difference] = {}
    if one.document.get("key") != reference.document.get("key"):
        problems.append(
            f"{one.name} was not asked just what {reference.name} was asked, since tasks, their data or batchSize have "
            "changed between: its differences are not tested; evaluate it again."
        )
    elif one is not reference:
        tested = {name: scores[name] for name in scores if _may_test(series[name])}
        found = differences(
            Scores(tested, errors, one.questions), Scores(first["scores"], first["stderr"], reference.questions)
        )
    return {
        "name": one.name,
        "role": one.role,
        "scores": scores,
        "stderr": errors,
        "languages": _languages(scores, errors, series),
        "sameTokenizer": one.vocabulary is not None and one.vocabulary == reference.vocabulary,
        "problems": problems,
        "differences": {name: _told(it, series[name]["higherIsBetter"]) for name, it in found.items()},
    }


def _told(found: Difference, higher_is_better: bool) -> dict[str, Any]:
    verdict = "better" if (found.difference > 0) == higher_is_better else "worse"
    return {**dataclasses.asdict(found), "verdict": verdict if found.is_significant else None}


def _may_test(one: Mapping[str, Any]) -> bool:
    return bool(one["acrossTokenizers"]) and one["higherIsBetter"] is not None


def _languages(
    scores: Mapping[str, float], errors: Mapping[str, float], series: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """The plain mean of a language's tasks that are scored by one metric; left out where a task of them is missing."""
    groups: dict[str, list[str]] = {}
    for name, one in series.items():
        if one["language"] is not None and one["acrossTokenizers"]:
            groups.setdefault(f"{one['language']}/{one['metric']}", []).append(name)
    found: dict[str, dict[str, Any]] = {}
    for group, names in groups.items():
        if all(name in scores for name in names):
            error = math.hypot(*(errors[name] for name in names)) / len(names) if set(names) <= set(errors) else None
            mean = sum(scores[name] for name in names) / len(names)
            found[group] = {"score": mean, "stderr": error, "tasks": len(names)}
    return found
