"""Training curves thinned for drawing, so that no spike is lost."""

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from trainingrun_workers.pretrain.curve import read

POINTS: Final = 2000  # of a line at most
LINES: Final = {
    "loss": "loss", "learningRate": "learning rate", "gradientNorm": "gradient norm", "tokensPerSecond": "tokens/s",
}  # fmt: skip

Points = list[tuple[int, float]]
Point = TypeVar("Point", bound=tuple[Any, ...])  # a step, a value, and what goes with them


def read_curve(folder: Path) -> list[dict[str, Any]]:
    """The lines of a stage's metrics.jsonl; none where it has none."""
    return read(folder)


def points(lines: Sequence[Mapping[str, Any]], key: str) -> Points:
    """Steps with the values of a key, thinned to POINTS; what isn't a number is left out."""
    return thinned([(one["step"], float(one[key])) for one in lines if is_number(one.get(key))], POINTS)


def thinned(found: list[Point], most: int) -> list[Point]:
    """At most `most` points: of each stretch of equal length its lowest and its highest, in their order."""
    if len(found) <= most:
        return found
    stretches = max(1, most // 2)
    kept: list[Point] = []
    for number in range(stretches):
        stretch = found[number * len(found) // stretches : (number + 1) * len(found) // stretches]
        ends = {min(stretch, key=lambda one: one[1]), max(stretch, key=lambda one: one[1])}
        kept.extend(sorted(ends, key=lambda one: one[0]))
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


def summary(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The same as numbers: steps, tokens, firstLoss, lastLoss, bestLoss, and tokensPerSecond at the median."""
    if not lines:
        return {}
    losses = [float(one["loss"]) for one in lines if is_number(one.get("loss"))]
    speeds = [float(one["tokensPerSecond"]) for one in lines if is_number(one.get("tokensPerSecond"))]
    told: dict[str, Any] = {"steps": lines[-1]["step"]}
    if is_number(lines[-1].get("tokens")):
        told["tokens"] = int(lines[-1]["tokens"])
    if losses:
        told |= {"firstLoss": losses[0], "lastLoss": losses[-1], "bestLoss": min(losses)}
    if speeds:
        told["tokensPerSecond"] = statistics.median(speeds)
    return told


def is_number(value: Any) -> bool:
    """Whether something is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
