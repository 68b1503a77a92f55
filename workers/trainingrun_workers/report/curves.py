"""Training curves thinned for drawing, so that no spike is lost."""

import array
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.pretrain.curve import read

POINTS: Final = 2000  # of a line at most
LINES: Final = {
    "loss": "loss", "learningRate": "learning rate", "gradientNorm": "gradient norm", "tokensPerSecond": "tokens/s",
    "mfu": "MFU",
}  # fmt: skip
MEDIANS: Final = ("tokensPerSecond", "mfu", "dataWait", "communicationWait")

Points = list[tuple[int, float]]


def read_curve(folder: Path) -> list[dict[str, Any]]:
    """The lines of a stage's metrics.jsonl; none where it has none."""
    return read(folder)


def points(lines: Sequence[Mapping[str, Any]], key: str) -> Points:
    """Steps with the values of a key, thinned to POINTS; what isn't a number is left out."""
    return thinned([(one["step"], float(one[key])) for one in lines if is_number(one.get(key))], POINTS)


def thinned(found: Points, most: int) -> Points:
    """At most `most` points: of each stretch of equal length its lowest and its highest, in their order."""
    if len(found) <= most:
        return found
    stretches = max(1, most // 2)
    kept: Points = []
    for number in range(stretches):
        stretch = found[number * len(found) // stretches : (number + 1) * len(found) // stretches]
        ends = {min(stretch, key=lambda one: one[1]), max(stretch, key=lambda one: one[1])}
        kept.extend(sorted(ends))
    return kept


def figures(lines: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What a table says of a curve: steps, tokens, loss at both ends and at its lowest, and speed."""
    found = summary(lines)
    if not found:
        return {}
    told = {"steps": f"{found['steps']:,}"}
    if "tokens" in found:
        told["tokens"] = f"{found['tokens']:,}"
    if "lastLoss" in found:
        told["loss"] = f"{found['firstLoss']:.3f} → {found['lastLoss']:.3f}, at best {found['bestLoss']:.3f}"
    if "tokensPerSecond" in found:
        told["tokens/s, median"] = f"{found['tokensPerSecond']:,.0f}"
    return told


def summary(lines: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The same as numbers: steps, tokens, firstLoss, lastLoss, bestLoss, and those of MEDIANS at the median."""
    told: dict[str, Any] = {}
    medians = {key: array.array("d") for key in MEDIANS}
    for one in lines:
        told["steps"] = one["step"]
        if is_number(one.get("tokens")):
            told["tokens"] = int(one["tokens"])
        if is_number(one.get("loss")):
            loss = float(one["loss"])
            told |= {"firstLoss": told.get("firstLoss", loss), "lastLoss": loss}
            told["bestLoss"] = min(told.get("bestLoss", loss), loss)
        for key, values in medians.items():
            if is_number(one.get(key)):
                values.append(float(one[key]))
    return told | {key: statistics.median(values) for key, values in medians.items() if values}


def drawn(lines: Iterable[Mapping[str, Any]], count: int, most: int) -> dict[str, list[tuple[int, float, Any]]]:
    """Of each key of LINES at most `most` points (step, value, tokens), as `thinned` has them of `count` lines.

    Holds no more than that, however long the curve is.
    """
    stretches = max(1, most // 2)
    found: dict[str, dict[int, tuple[Any, Any]]] = {key: {} for key in LINES}
    for number, one in enumerate(lines):
        place = number if count <= most else number * stretches // count
        for key, ends in found.items():
            if is_number(one.get(key)):
                point = (one["step"], float(one[key]), one.get("tokens"))
                low, high = ends.get(place, (point, point))
                ends[place] = (point if point[1] < low[1] else low, point if point[1] > high[1] else high)
    return {key: [point for pair in ends.values() for point in sorted({*pair})] for key, ends in found.items() if ends}


def is_number(value: Any) -> bool:
    """Whether something is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
