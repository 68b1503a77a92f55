"""Names ranks that hold up all others: slower at their own work than the rest of the gang, for some time."""

import bisect
import statistics
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

SLOW: Final = 1.3  # times the median of the others, from which a rank is named
RECOVERED: Final = 1.15  # below which it is named no more
WINDOW_SECONDS: Final = 10.0  # that are looked back at, at least
WINDOW_EDGES: Final = 5  # intervals that are looked back at, at least
MOST_NAMED: Final = 3  # at once: where more are slow, it is something that they share


class Stragglers:
    """Judges by each rank's seconds of own work a step; a short pause of one rank is not enough to be named."""

    def __init__(self, nodes: Sequence[str], now: Callable[[], float] = time.monotonic) -> None:
        """`nodes` are the names of the nodes that the ranks run on, by rank."""
        self._nodes, self._now = nodes, now
        self._edges: deque[tuple[float, int, tuple[float, ...]]] = deque()  # when, first step, ratio by rank
        self._named: dict[int, tuple[int, float]] = {}  # since which step, and how many times as long at that time

    def add(self, first_step: int, own: Sequence[float]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Judge once more, by an interval that began with `first_step`; yields what is new, and who is slow no more."""
        if len(own) < 2:
            return (), ()
        self._edges.append((self._now(), first_step, _ratios(own)))
        if not self._enough():
            return (), ()
        ratios = [statistics.median(column) for column in zip(*(edge[2] for edge in self._edges), strict=True)]
        recovered = [rank for rank in self._named if ratios[rank] < RECOVERED]
        for rank in recovered:
            del self._named[rank]
        slow = sorted((rank for rank, ratio in enumerate(ratios) if ratio >= SLOW), key=lambda rank: -ratios[rank])
        new = [rank for rank in slow if rank not in self._named][: max(MOST_NAMED - len(self._named), 0)]
        for rank in new:
            since = next(step for _, step, told in self._edges if told[rank] >= SLOW)
            self._named[rank] = since, ratios[rank]
        return tuple(map(self._sentence, new)), tuple(map(self._recovery, recovered))

    def notes(self) -> tuple[str, ...]:
        """A sentence for each rank that is slow now; the same words as long as it is."""
        return tuple(self._sentence(rank) for rank in sorted(self._named))

    def named(self) -> tuple[dict[str, Any], ...]:
        """The same for programs, as `contract.Snapshot.stragglers` has it."""
        return tuple(
            {"rank": rank, "node": self._nodes[rank], "times": round(ratio, 2), "since": since}
            for rank, (since, ratio) in sorted(self._named.items())
        )

    def _enough(self) -> bool:
        # The oldest goes only where the window is as long without it.
        while len(self._edges) > WINDOW_EDGES and self._edges[-1][0] - self._edges[1][0] >= WINDOW_SECONDS:
            self._edges.popleft()
        return len(self._edges) >= WINDOW_EDGES and self._edges[-1][0] - self._edges[0][0] >= WINDOW_SECONDS

    def _sentence(self, rank: int) -> str:
        since, ratio = self._named[rank]
        return (
            f"Rank {rank} on node {self._nodes[rank]} takes {ratio:.1f} times as long as the others for its own work "
            f"(since step {since}): look at that node's clocks, cooling and access to the volume."
        )

    def _recovery(self, rank: int) -> str:
        return f"Rank {rank} on node {self._nodes[rank]} is as fast as the others again."


def _ratios(own: Sequence[float]) -> tuple[float, ...]:
    """Each rank's time by the median of the others'."""
    ordered = sorted(own)
    return tuple(one / max(_median_without(ordered, bisect.bisect_left(ordered, one)), 1e-9) for one in own)


def _median_without(ordered: Sequence[float], place: int) -> float:
    others = len(ordered) - 1
    low, high = (at + (at >= place) for at in ((others - 1) // 2, others // 2))
    return (ordered[low] + ordered[high]) / 2
