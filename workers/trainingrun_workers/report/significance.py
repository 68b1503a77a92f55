"""Which differences of scores mean something.

Two models that were asked the same questions are compared question by question, as E. Miller, "Adding Error Bars to
Evals" (2024, arXiv:2411.00640), section 4.2, has it: with dᵢ the differences of the n questions' scores and d their
mean, the standard error of d is √(Σ(dᵢ − d)² / (n − 1) / n), and z is d by it. Where each question is right or wrong, b
of them right for the one model alone and c for the other alone, the test is Q. McNemar's ("Note on the sampling error
of the difference between correlated proportions or percentages", 1947): exact by the binomial distribution of b among
b + c, by z = (b − c) / √(b + c) where they are many.

Where the scores of single questions are not known, the standard error of the difference is √(SE₁² + SE₂²). Models
mostly err on the same questions, so that the true one is smaller, and the test rather misses a difference than invents
one.

The p-values of a model's tasks are corrected together by S. Holm's step-down method ("A Simple Sequentially Rejective
Multiple Test Procedure", 1979).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

LEVEL: Final = 0.05
EXACT: Final = 1000  # discordant questions up to which the binomial distribution is summed


@dataclass(frozen=True)
class Scores:
    """One model's scores by task: their standard errors, and those of single questions, where they are known."""

    means: Mapping[str, float]
    errors: Mapping[str, float]
    questions: Mapping[str, Sequence[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """One task's difference, of a model's score less the reference's."""

    difference: float
    z: float
    p: float  # two-sided
    corrected: float  # by Holm, over the tasks that this model was tested on
    paired: bool  # by question

    @property
    def is_significant(self) -> bool:
        """Whether the corrected p-value is below LEVEL."""
        return self.corrected < LEVEL


def differences(model: Scores, reference: Scores) -> dict[str, Difference]:
    """The differences of all tasks that both models have, and that can be tested."""
    found: dict[str, tuple[float, float, bool]] = {}  # z, p and whether it is paired
    for task in (one for one in model.means if one in reference.means):
        asked, others = model.questions.get(task, ()), reference.questions.get(task, ())
        if len(asked) == len(others) > 1:
            tested = paired(asked, others)
        else:
            tested = unpaired(task, model, reference)
        if tested is not None:
            found[task] = (*tested, len(asked) == len(others) > 1)
    corrected = holm([p for _, p, _ in found.values()])
    return {
        task: Difference(model.means[task] - reference.means[task], z, p, one, is_paired)
        for (task, (z, p, is_paired)), one in zip(found.items(), corrected, strict=True)
    }


def unpaired(task: str, model: Scores, reference: Scores) -> tuple[float, float] | None:
    """z and p by both standard errors; None where one is missing or both are nought."""
    if task not in model.errors or task not in reference.errors:
        return None
    error = math.hypot(model.errors[task], reference.errors[task])
    if error == 0:
        return None
    z = (model.means[task] - reference.means[task]) / error
    return z, two_sided(z)


def paired(scores: Sequence[float], reference: Sequence[float]) -> tuple[float, float] | None:
    """z and p of the mean difference of at least two questions; None where all differ by the same that isn't nought."""
    gaps = [one - other for one, other in zip(scores, reference, strict=True)]
    if {*scores, *reference} <= {0, 1}:
        return mcnemar(gaps.count(1), gaps.count(-1))
    mean = math.fsum(gaps) / len(gaps)
    error = math.sqrt(math.fsum((one - mean) ** 2 for one in gaps) / (len(gaps) - 1) / len(gaps))
    if error == 0:
        return (0.0, 1.0) if mean == 0 else None
    return mean / error, two_sided(mean / error)


def mcnemar(better: int, worse: int) -> tuple[float, float]:
    """z and p of so many questions that the one model alone has right, and that the other alone has right."""
    discordant = better + worse
    if discordant == 0:
        return 0.0, 1.0
    z = (better - worse) / math.sqrt(discordant)
    if discordant > EXACT:
        return z, two_sided(z)
    below = sum(math.comb(discordant, one) for one in range(min(better, worse) + 1))
    return z, min(1.0, 2 * below / 2**discordant)


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
