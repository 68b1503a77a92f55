"""What many verdicts come to: wins, ties, disagreements, and whether a place is favoured."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from trainingrun_workers.judge.verdicts import Verdict

Outcome = Literal["one", "other", "tie", "disagreement", "unparsable"]
_Z: Final = 1.959963984540054  # 97.5 % of a normal distribution lie below
_CHOSEN: Final[dict[Verdict, tuple[Outcome, Outcome]]] = {  # in the first order, and in the second
    "first": ("one", "other"),
    "second": ("other", "one"),
    "tie": ("tie", "tie"),
}


@dataclass(frozen=True)
class Comparison:
    """Two models' answers to one prompt, with the verdicts in both orders: `models` as they stand, then turned round.

    Answers that are the same, word for word, are a tie of which nobody is asked: they have no verdicts.
    """

    models: tuple[str, str]
    verdicts: tuple[Verdict | None, ...]
    language: str | None = None

    @property
    def identical(self) -> bool:
        """Whether both answers are the same."""
        return not self.verdicts

    @property
    def outcome(self) -> Outcome:
        """What both orders say; a disagreement where they don't say the same."""
        if self.identical:
            return "tie"
        if None in self.verdicts:
            return "unparsable"
        one, other = (_CHOSEN[verdict][order] for order, verdict in enumerate(self.verdicts) if verdict is not None)
        return one if one == other else "disagreement"


def wilson(successes: int, of: int) -> tuple[float, float] | None:
    """The 95 % interval of a share by Wilson's score (1927), or None of nothing."""
    if of == 0:
        return None
    share = successes / of
    centre = share + _Z**2 / (2 * of)
    spread = _Z * math.sqrt(share * (1 - share) / of + _Z**2 / (4 * of**2))
    scale = 1 + _Z**2 / of
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def share(successes: int, of: int) -> dict[str, Any]:
    """A share with its interval, both None of nothing."""
    interval = wilson(successes, of)
    return {
        "share": round(successes / of, 4) if of else None,
        "interval": [round(bound, 4) for bound in interval] if interval else None,
    }


def pair_figures(comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """The figures of one pair of models: {"models", "prompts", "wins": {model: n}, "ties", "identical",
    "disagreements", "unparsable", "winRate": {"share", "interval"}}.

    The win rate is that of the first model among the prompts that one of both has won.
    """
    outcomes = Counter(one.outcome for one in comparisons)
    one, other = comparisons[0].models
    return {
        "models": [one, other],
        "prompts": len(comparisons),
        "wins": {one: outcomes["one"], other: outcomes["other"]},
        "ties": outcomes["tie"],
        "identical": sum(comparison.identical for comparison in comparisons),
        "disagreements": outcomes["disagreement"],
        "unparsable": outcomes["unparsable"],
        "winRate": share(outcomes["one"], outcomes["one"] + outcomes["other"]),
    }


def position_figures(comparisons: Iterable[Comparison]) -> dict[str, Any]:
    """How often the answer shown first was chosen, and how often the place alone decided a pair.

    Every pair is shown in both orders: without bias each place is chosen as often as the other.
    """
    given = list(comparisons)
    counts = Counter(verdict for one in given for verdict in one.verdicts)
    same = Counter(one.verdicts[0] for one in given if one.verdicts and len(set(one.verdicts)) == 1)
    return {
        "first": counts["first"],
        "second": counts["second"],
        "ties": counts["tie"],
        "alwaysFirst": same["first"],
        "alwaysSecond": same["second"],
        "firstRate": share(counts["first"], counts["first"] + counts["second"]),
    }


def summary(comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """{"pairs": figures of each pair, "languages": {language: the same}, "position": figures of all}."""
    languages = sorted({one.language for one in comparisons if one.language})
    return {
        "pairs": _pairs(comparisons),
        "languages": {name: _pairs([one for one in comparisons if one.language == name]) for name in languages},
        "position": position_figures(comparisons),
    }


def _pairs(comparisons: Sequence[Comparison]) -> list[dict[str, Any]]:
    by_models: dict[tuple[str, str], list[Comparison]] = {}
    for one in comparisons:
        by_models.setdefault(one.models, []).append(one)
    return [pair_figures(them) for them in by_models.values()]
