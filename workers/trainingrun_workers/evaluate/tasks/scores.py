"""Scores over all questions of a task, each of (right answer, given answer)."""

import math
from collections.abc import Sequence
from statistics import fmean


def f1_macro(items: Sequence[tuple[str, str]]) -> float:
    """The mean of each label's F1; a label that was only ever given wrongly counts with 0, as scikit-learn has it."""
    labels = {label for item in items for label in item}
    return fmean(_f1(items, label) for label in sorted(labels))


def _f1(items: Sequence[tuple[str, str]], label: str) -> float:
    both = sum(right == given == label for right, given in items)
    either = sum((right == label) + (given == label) for right, given in items)
    return 2 * both / either


def pearson(items: Sequence[tuple[float, float]]) -> float:
    """Pearson's correlation; 0 where one side is always the same, for which there is none."""
    right, given = zip(*items, strict=True)
    if len(set(right)) < 2 or len(set(given)) < 2:
        return 0.0
    mean_right, mean_given = fmean(right), fmean(given)
    together = math.fsum((one - mean_right) * (other - mean_given) for one, other in items)
    apart = math.fsum((one - mean_right) ** 2 for one in right) * math.fsum((one - mean_given) ** 2 for one in given)
    return together / math.sqrt(apart)


def share(items: Sequence[Sequence[bool]]) -> float:
    """How many of all instructions of all prompts were followed."""
    flat = [one for item in items for one in item]
    return fmean(flat)
