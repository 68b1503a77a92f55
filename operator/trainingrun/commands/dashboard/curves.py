"""Training curves out of what there is without a pod of one's own: logs of pods, reports in the status; pure.

A point has the keys of a line of the volume's metrics.jsonl: step, loss, learningRate, gradientNorm, tokensPerSecond.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from trainingrun.api.status import StageStatus

MOST: Final = 600  # points of a line in the page: more than its width in pixels is of no use
KEPT: Final = 6000  # points of a stage that are kept between two looks
LINES: Final = {
    "loss": "Loss", "learningRate": "Learning rate", "gradientNorm": "Gradient norm",
    "tokensPerSecond": "Tokens a second",
}  # fmt: skip
# What the training workers log for each point, as `pretrain/loop.py` and `sft/record.py` have it.
LOGGED: Final = re.compile(
    r"step (?P<step>\d+)/(?P<total>\d+)  loss (?P<loss>\S+)  lr (?P<learningRate>\S+)  "
    r"grad norm (?P<gradientNorm>\S+)  (?P<tokensPerSecond>\S+) tokens/s"
)

Point = dict[str, Any]


def of_log(lines: Iterable[str]) -> list[Point]:
    """The points that a pod's log tells of, in its order."""
    matches = (LOGGED.search(line) for line in lines)
    return [
        {"step": int(found["step"])} | {key: _number(found[key]) for key in LINES} for found in matches if found
    ]  # fmt: skip


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def spliced(attempts: Iterable[Sequence[Point]]) -> list[Point]:
    """The curve of a stage out of those of its attempts in their order: each takes over at its first step."""
    whole: list[Point] = []
    for points in attempts:
        if points:
            whole = [one for one in whole if one["step"] < points[0]["step"]]
            whole = merged(whole, points)
    return whole


def bounded(points: list[Point], most: int = KEPT) -> list[Point]:
    """The points, every second of the older half left out where they are too many."""
    while len(points) > most:
        half = len(points) // 2
        points = points[:half:2] + points[half:]
    return points


def of_status(stage: StageStatus) -> list[Point]:
    """The one point that a stage's newest report is; none where it has reported no loss."""
    progress = stage.progress
    if progress is None or progress.loss is None:
        return []
    return [{"step": progress.step, "loss": progress.loss, "tokensPerSecond": progress.tokens_per_second}]


def merged(*sources: Iterable[Mapping[str, Any]]) -> list[Point]:
    """All points by step; of a step that several sources tell of, what the later one says."""
    found: dict[int, Point] = {}
    for source in sources:
        for point in source:
            told = {key: value for key, value in point.items() if value is not None}
            found[point["step"]] = {**found.get(point["step"], {}), **told}
    return [found[step] for step in sorted(found)]


def thinned(points: Sequence[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """At most `most` points: of each stretch its lowest and its highest, so that no spike is lost."""
    if len(points) <= most:
        return list(points)
    stretches = max(1, most // 2)
    kept: list[tuple[float, float]] = []
    for number in range(stretches):
        stretch = points[number * len(points) // stretches : (number + 1) * len(points) // stretches]
        kept.extend(sorted({min(stretch, key=lambda one: one[1]), max(stretch, key=lambda one: one[1])}))
    return kept


def series(points: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A line for each key that has points, thinned, with the number of points there were."""
    lines = []
    for key, label in LINES.items():
        found = [(one["step"], float(one[key])) for one in points if one.get(key) is not None]
        if found:
            lines.append({"key": key, "label": label, "points": thinned(found, MOST), "all": len(found)})
    return lines
