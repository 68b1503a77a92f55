"""Which source each sample comes from, by weight, as a pure function of the sample's number.

Sample n sits at the fractional part of n/φ (the golden ratio) on a circle that the sources share by weight. That
sequence is evenly spread at every scale, so each batch has the mix nearly exactly, and how many of the first n samples
fell to a source is a sum of floors, which Euclid's algorithm gives in O(log n) without visiting them.
"""

import bisect
import hashlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Final

_CIRCLE: Final = 1 << 64
_STEP: Final = 0x9E3779B97F4A7C15  # 2^64 divided by the golden ratio, odd


class Mixture:
    """The sources of one data stage; weights are relative and need not sum to one."""

    def __init__(self, weights: Sequence[float], seed: int) -> None:
        total = sum(weights)
        if not weights or min(weights) < 0 or not total > 0:
            raise ValueError(f"Weights must be positive numbers, not {list(weights)}.")
        edges = [round(part / total * _CIRCLE) for part in itertools.accumulate(weights, initial=0.0)]
        self._edges = [*edges[:-1], _CIRCLE]
        digest = hashlib.sha256(f"mixture/{seed}".encode()).digest()
        self._start = int.from_bytes(digest[:8], "little")

    def source(self, sample: int) -> int:
        """The index of the source that a sample comes from."""
        return next(self.sources(sample, sample + 1))

    def sources(self, first: int, end: int) -> Iterator[int]:
        """`source` of the samples from `first` to before `end`."""
        ends = self._edges[1:]
        for sample in range(first, end):
            yield bisect.bisect_right(ends, (self._start + sample * _STEP) % _CIRCLE)

    def count(self, source: int, samples: int) -> int:
        """How many of the first `samples` samples come from a source."""
        low, high = self._edges[source], self._edges[source + 1]
        return _floors(samples, self._start - low) - _floors(samples, self._start - high)


def _floors(terms: int, offset: int) -> int:
    """Σ ⌊(i·_STEP + offset) / _CIRCLE⌋ over i < terms."""
    slope, modulus, total = _STEP, _CIRCLE, 0
    while terms:
        total += (terms * (terms - 1) // 2) * (slope // modulus) + terms * (offset // modulus)
        slope, offset = slope % modulus, offset % modulus
        top = slope * terms + offset
        terms, offset = divmod(top, modulus)
        slope, modulus = modulus, slope
        if modulus == 0:
            break
    return total
