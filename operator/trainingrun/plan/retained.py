"""Which checkpoints of a pretrain stage stay, as the run's spec and the scores in its status have it now."""

from collections.abc import Sequence
from typing import Final

from trainingrun.api.status import CheckpointStatus
from trainingrun.api.training import Checkpoints
from trainingrun_workers.contract import Answer

# Main metrics of lm-eval, by their name, of which less is better; of all others more is.
LESS_IS_BETTER: Final = frozenset(
    {"bits_per_byte", "byte_perplexity", "word_perplexity", "perplexity", "brier_score", "ter", "loss"}
)


def retained(wanted: Checkpoints, known: Sequence[CheckpointStatus]) -> Answer:
    """What a pretrain stage is told to keep; with keepBest also what is still to be evaluated."""
    if wanted.keep_best is None:
        return Answer(wanted.keep_last, wanted.keep_every)
    waiting = [one.step for one in known if one.scores is None]
    keep = (*best(known, wanted.keep_best), *waiting)
    return Answer(wanted.keep_last, wanted.keep_every, tuple(sorted(keep)))


def best(known: Sequence[CheckpointStatus], number: int) -> tuple[int, ...]:
    """The steps with the best mean main score, the best first; the later one where two are alike.

    Compared are those that have a score of every task that any of them has.
    """
    tasks = {task for one in known for task in one.scores or {}}
    scored = [(mean(one.scores), one.step) for one in known if one.scores and set(one.scores) == tasks]
    return tuple(step for _, step in sorted(scored, reverse=True)[:number])


def mean(scores: dict[str, float]) -> float:
    """The mean of main scores, by "task/metric", so that more is better."""
    return sum(_signed(name, value) for name, value in scores.items()) / len(scores)


def _signed(name: str, value: float) -> float:
    """A main score, by "task/metric", so that more is better."""
    metric = name.rpartition("/")[2].partition(",")[0]
    return -value if metric in LESS_IS_BETTER else value
