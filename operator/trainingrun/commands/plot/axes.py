"""Where ticks go and what they are called. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

PREFIXES: Final = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
NICE: Final = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Axis:
    """A range of values that is mapped to 0 … 1."""

    low: float
    high: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """Where a value is, between 0 and 1."""
        low, high, here = map(self._scaled, (self.low, self.high, value))
        return (here - low) / (high - low)

    def ticks(self, most: int) -> list[float]:
        """At most `most` round values in the range."""
        if self.logarithmic:
            first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            powers = range(first, last + 1, max(1, -(-(last - first + 1) // most)))
            if len(powers) > 1:
                return [10.0**power for power in powers]
        rough = (self.high - self.low) / max(most - 1, 1)
        unit = 10 ** math.floor(math.log10(rough))
        step = next(unit * one for one in NICE if unit * one >= rough * (1 - 1e-9))
        first = math.ceil(self.low / step - 1e-9)
        found = [step * number for number in range(first, first + most + 1)]
        return [one for one in found if one <= self.high + step * 1e-9]

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self.logarithmic else value


def axis(values: Sequence[float], logarithmic: bool = False, room: float = 0.0) -> Axis:
    """The axis of some values, with `room` as a share of the range at both ends; never without width."""
    low, high = min(values), max(values)
    if logarithmic:
        factor = (high / low) ** room if high > low else 2.0
        return Axis(low / factor, high * factor, True)
    if high <= low:
        width = abs(low) or 1.0
        return Axis(low - width / 2, high + width / 2)
    return Axis(low - room * (high - low), high + room * (high - low))


def called(value: float) -> str:
    """A value in at most seven characters: 1.5k, 921.6k, 0.0003, 3e-05."""
    for size, prefix in PREFIXES:
        if abs(value) >= size * 0.99995:
            return f"{value / size:.4g}{prefix}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.4g}"
