"""What is drawn: panels with a line a run, of curves and of scores. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from trainingrun.commands.figures import Measured, Point

BASE: Final = "pretrain"  # whose checkpoints are evaluated
CURVES: Final = {
    "loss": "loss", "learningRate": "learning rate", "gradientNorm": "gradient norm", "tokensPerSecond": "tokens/s",
    "mfu": "MFU",
}  # fmt: skip
LOGARITHMIC: Final = ("gradientNorm",)


@dataclass(frozen=True)
class Line:
    """One line of a panel."""

    label: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Panel:
    """One set of axes."""

    title: str
    lines: tuple[Line, ...]
    logarithmic: bool = False
    marked: bool = False  # whether each point is a measurement of its own, as scores are

    @property
    def values(self) -> list[float]:
        """All that is on the vertical axis."""
        return [y for line in self.lines for _, y in line.points]

    @property
    def places(self) -> list[float]:
        """All that is on the horizontal axis."""
        return [x for line in self.lines for x, _ in line.points]


def panels(runs: Sequence[Measured], stage: str, over: str) -> list[Panel]:
    """The panels of a stage, its curve first, over "steps" or "tokens"; none where nothing was measured yet."""
    found = list(_curves(runs, stage, over))
    return found + (list(_scores(runs, over)) if stage == BASE else [])


def _curves(runs: Sequence[Measured], stage: str, over: str) -> Iterator[Panel]:
    for key, title in CURVES.items():
        drawn = [Line(run.name, _placed(run.series(stage, key), over)) for run in runs]
        lines = tuple(line for line in drawn if line.points)
        if lines:
            positive = all(y > 0 for line in lines for _, y in line.points)
            yield Panel(title, lines, logarithmic=key in LOGARITHMIC and positive)


def _placed(points: Sequence[Point], over: str) -> tuple[tuple[float, float], ...]:
    if over == "steps":
        return tuple((float(step), value) for step, value, _ in points)
    return tuple((float(tokens), value) for _, value, tokens in points if tokens is not None)


def _scores(runs: Sequence[Measured], over: str) -> Iterator[Panel]:
    """Of one run a panel a metric with a line a task; of several a panel a task with a line a run."""
    checkpoints = [(run, run.checkpoints()) for run in runs]
    names = list(dict.fromkeys(name for _, steps in checkpoints for scores in steps.values() for name in scores))
    if len(runs) == 1:
        for metric in dict.fromkeys(name.rpartition("/")[2] for name in names):
            tasks = [name for name in names if name.rpartition("/")[2] == metric]
            yield from _panel(
                metric.replace("_", " "), [(name.rpartition("/")[0], *checkpoints[0], name) for name in tasks], over
            )
        return
    for name in names:
        yield from _panel(name, [(run.name, run, steps, name) for run, steps in checkpoints], over)


def _panel(
    title: str, drawn: Sequence[tuple[str, Measured, dict[int, dict[str, float]], str]], over: str
) -> Iterator[Panel]:
    lines = []
    for label, run, steps, name in drawn:
        scale = _tokens_per_step(run) if over == "tokens" else 1.0
        points = tuple((step * scale, scores[name]) for step, scores in steps.items() if name in scores)
        if scale and points:
            lines.append(Line(label, points))
    if lines:
        yield Panel(title, tuple(lines), marked=True)


def _tokens_per_step(run: Measured) -> float:
    summary = run.summary(BASE)
    return summary["tokens"] / summary["steps"] if summary.get("tokens") and summary.get("steps") else 0.0
