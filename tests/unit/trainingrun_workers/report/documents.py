"""Documents of evaluations as the evaluate stage leaves them."""

from typing import Any

from trainingrun_workers.report.comparison import Candidate


def a_candidate(
    name: str,
    scores: dict[str, tuple[float, float | None]],
    vocabulary: str | None = "v",
    questions: dict[str, list[float]] | None = None,
    **keys: Any,
) -> Candidate:
    """A model with (score, standard error) of each "task/metric"; less is better for what has bits or perplexity."""
    document: dict[str, Any] = {
        "model": name, "step": None, "tasks": {}, "main": {}, "higherIsBetter": {}, "fewshot": {}, "seed": 1234,
        "harness": "0.4.13", "key": "k",
    }  # fmt: skip
    for key, (score, error) in scores.items():
        task, _, metric = key.partition("/")
        document["tasks"][task] = {metric: score} | ({} if error is None else {f"{metric}_stderr": error})
        document["main"][task] = metric
        document["higherIsBetter"][task] = {metric: "bits" not in metric and "perplexity" not in metric}
        document["fewshot"][task] = 0
    return Candidate(name, "compared", document | keys, vocabulary, questions or {})
