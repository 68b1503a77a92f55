"""Training curves thinned for drawing, so that no spike is lost."""

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.pretrain.curve import read

POINTS: Final = 2000  # of a line at most
LINES: Final = {
    "loss": "loss", "learningRate": "learning rate", "gradientNorm": "gradient norm", "tokensPerSecond": "tokens/s",
}  # fmt: skip

Points = list[tuple[int, float]]


def read_curve(folder: Path) -> list[dict[str, Any]]:
    """The lines of a stage's metrics.jsonl; none where it has none."""
    return read(folder)


def points(lines: Sequence[Mapping[str, Any]], key: str) -> Points:
    """Steps with the values of a key, thinned to POINTS; what isn't a number is left out."""
    return thinned([(one["step"], float(one[key])) for one in lines if _is_number(one.get(key))], POINTS)


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
    """What a table says of a curve: steps, tokens, loss at both ends and at its lowest, speed and time."""
    if not lines:
        return {}
    losses = [float(one["loss"]) for one in lines if _is_number(one.get("loss"))]
    speeds = [float(one["tokensPerSecond"]) for one in lines if _is_number(one.get("tokensPerSecond"))]
    told = {"steps": f"{lines[-1]['step']:,}"}
    if _is_number(lines[-1].get("tokens")):
        told["tokens"] = f"{int(lines[-1]['tokens']):,}"
    if losses:
        told["loss"] = f"{losses[0]:.3f} → {losses[-1]:.3f}, at best {min(losses):.3f}"
    if speeds:
        told["tokens/s, median"] = f"{statistics.median(speeds):,.0f}"
    return told


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
