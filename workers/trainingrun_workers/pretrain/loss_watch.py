"""Notices a loss that rises far above the ones before it."""

import statistics
from collections import deque
from collections.abc import Iterable
from typing import Final

WINDOW: Final = 100
ENOUGH: Final = 20


class LossWatch:
    """Compares each loss with the median of the hundred before it.

    All that it remembers is the tail of the training curve, so a resumed run judges as the uninterrupted one does.
    """

    def __init__(self, multiple: float, before: Iterable[float]) -> None:
        self._multiple = multiple
        self._losses = deque(before, maxlen=WINDOW)

    def add(self, loss: float) -> None:
        """Count a loss of the curve among those that later ones are compared with."""
        self._losses.append(loss)

    def limit(self) -> float | None:
        """What a loss may not exceed; None before twenty losses are known."""
        return self._multiple * statistics.median(self._losses) if len(self._losses) >= ENOUGH else None

    def is_spike(self, loss: float) -> bool:
        """Whether a loss is above the limit."""
        limit = self.limit()
        return limit is not None and loss > limit
