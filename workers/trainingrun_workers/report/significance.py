"""Which differences of scores mean something.

Two models' scores of a task are means over its questions with standard errors; their difference has the standard error
√(SE₁² + SE₂²), and z is the difference by it (E. Miller, "Adding Error Bars to Evals", 2024, arXiv:2411.00640, on two
models whose scores of single questions are not paired). Models mostly err on the same questions, so that the true
standard error is smaller, and the test rather misses a difference than invents one. The p-values of a model's tasks are
corrected together by S. Holm's step-down method ("A Simple Sequentially Rejective Multiple Test Procedure", 1979).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

LEVEL: Final = 0.05


@dataclass(frozen=True)
class Difference:
    """One task's difference, of a model's score less the reference's."""

    difference: float
    z: float
    p: float  # two-sided
    corrected: float  # by Holm, over the tasks that this model was tested on

    @property
    def is_significant(self) -> bool:
        """Whether the corrected p-value is below LEVEL."""
        return self.corrected < LEVEL


def differences(
    scores: Mapping[str, float],
    errors: Mapping[str, float],
    reference: Mapping[str, float],
    reference_errors: Mapping[str, float],
) -> dict[str, Difference]:
    """The differences of all tasks that both models have with standard errors, which are not both nought."""
    found: dict[str, tuple[float, float]] = {}
    for task, score in scores.items():
        if task in errors and task in reference and task in reference_errors:
            error = math.hypot(errors[task], reference_errors[task])
            if error > 0:
                found[task] = (score - reference[task], (score - reference[task]) / error)
    raw = [two_sided(z) for _, z in found.values()]
    return {
        task: Difference(difference, z, p, corrected)
        for (task, (difference, z)), p, corrected in zip(found.items(), raw, holm(raw), strict=True)
    }


def two_sided(z: float) -> float:
    """The probability of a standard normal value at least as far from nought as z."""
    return math.erfc(abs(z) / math.sqrt(2))


def holm(values: list[float]) -> list[float]:
    """p-values corrected for their number, in their order: the k-th smallest of n times n - k + 1, never falling."""
    corrected = [0.0] * len(values)
    highest = 0.0
    for rank, position in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        highest = max(highest, min(1.0, values[position] * (len(values) - rank)))
        corrected[position] = highest
    return corrected
