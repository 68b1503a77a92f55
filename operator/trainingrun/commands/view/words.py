"""Figures in words and small pictures of characters."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Final

from trainingrun.api.status import LossPoint

BARS: Final = "▁▂▃▄▅▆▇█"
STYLES: Final = {
    "Running": "green", "Succeeded": "bold green", "Failed": "bold red", "Suspended": "yellow",
    "Waiting": "cyan", "Pending": "dim",
}  # fmt: skip
SIGNS: Final = {
    "Running": "●", "Succeeded": "✔", "Failed": "✘", "Suspended": "❚❚", "Waiting": "…", "Pending": "·",
}  # fmt: skip


def seconds_since(time: str | None, now: float) -> float | None:
    """Seconds from a time as Kubernetes writes it to now; None where there is none."""
    if not time:
        return None
    try:
        return max(now - datetime.datetime.fromisoformat(time).timestamp(), 0.0)
    except ValueError:
        return None


def lasted(seconds: float | None) -> str:
    """Seconds for people: 45s, 3m20s, 5h10m, 12d3h; – where there are none."""
    from trainingrun.plan.times import duration

    return duration(int(seconds)) or "–" if seconds is not None else "–"


def hours(number: float) -> str:
    """GPU-hours for people."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def count(number: int, what: str) -> str:
    """1 step, 2 steps."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def sparkline(points: Sequence[LossPoint], width: int) -> str:
    """The curve over its steps, highest loss highest; empty for fewer than two points."""
    if len(points) < 2 or width < 2:
        return ""
    first, last = points[0].step, points[-1].step
    values = [_at(points, first + (last - first) * place / (width - 1)) for place in range(width)]
    least, most = min(values), max(values)
    room = (most - least) or 1.0
    return "".join(BARS[round((value - least) / room * (len(BARS) - 1))] for value in values)


def _at(points: Sequence[LossPoint], step: float) -> float:
    """The loss at a step, straight between the points around it."""
    after = next((place for place, one in enumerate(points) if one.step >= step), len(points) - 1)
    if after == 0:
        return points[0].loss
    left, right = points[after - 1], points[after]
    part = (step - left.step) / max(right.step - left.step, 1)
    return left.loss + (right.loss - left.loss) * part
