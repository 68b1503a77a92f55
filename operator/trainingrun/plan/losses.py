"""The few points of a training curve that the status has room for."""

from collections.abc import Sequence
from typing import Final

from trainingrun.api.status import MAX_LOSSES, LossPoint

SPACING: Final = 2 * MAX_LOSSES  # a new point comes when a run is further by this part of its steps so far


def with_point(losses: Sequence[LossPoint], step: int, loss: float | None) -> list[LossPoint]:
    """The points with another one, where it is far enough from the last; every other goes where there are too many.

    A step that was reached before means that training went back: the points from there on are forgotten.
    """
    kept = [one for one in losses if one.step < step]
    if loss is None or (kept and step < kept[-1].step + max(step // SPACING, 1)):
        return kept if len(kept) < len(losses) - 1 else list(losses)
    made = [*kept, LossPoint(step=step, loss=round(loss, 4))]
    return made if len(made) <= MAX_LOSSES else made[len(made) % 2 ^ 1 :: 2]
