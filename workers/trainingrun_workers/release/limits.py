"""What a released model can't do, as far as it follows from how it was made, and in the words of who made it."""

from collections.abc import Iterator, Mapping
from typing import Any

from trainingrun_workers.contract import ReleaseSpec


def limits(
    spec: ReleaseSpec, context: int, provenance: Mapping[str, Any], evaluation: Mapping[str, Any] | None
) -> Iterator[str]:
    """Sentences, the most general first; `context` is in tokens, `evaluation` the evaluate stage's document."""
    if spec.chat:
        yield "Its answers can be wrong, biased or harmful; the model filters nothing."
    else:
        yield "It was not trained to follow instructions: it continues texts, with whatever such texts contain."
    if spec.languages:
        yield f"It was made for {', '.join(spec.languages)}; other languages were not aimed at."
    yield f"It reads and writes {context:,} tokens together at most."
    if spec.cpu:
        yield "It was trained on CPU, to show that the chain works."
    skipped = (provenance.get("pretrain") or {}).get("skipped")
    if skipped:
        steps = sum(one["steps"] for one in skipped)
        yield f"The data of {steps:,} training steps were left out after bad losses."
    yield from _evaluated(evaluation)


def _evaluated(evaluation: Mapping[str, Any] | None) -> Iterator[str]:
    if evaluation is None:
        yield "It was not evaluated."
        return
    cut = sorted(task for task, limit in (evaluation.get("limits") or {}).items() if limit)
    if cut:
        yield f"Only a part of the questions was asked of {', '.join(cut)}."
