"""A panel as SVG, whose colours follow the page that it is put into. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final

from trainingrun.commands.plot.axes import Axis, axis, called
from trainingrun.commands.plot.panels import Line, Panel

COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # told apart by colour-blind people
WIDTH, HEIGHT = 460, 260
LEFT, RIGHT, TOP, BOTTOM = 58, 12, 30, 38  # margins around the field
ROW: Final = 16  # of what the colours mean
LABELS: Final = 3  # beside each other in a row
FONT: Final = 'font-family="system-ui, sans-serif" font-size="11"'


def drawn(panel: Panel, over: str) -> bytes:
    """The picture."""
    across, up = axis(panel.places), axis(panel.values, panel.logarithmic, 0.04)
    labelled = len(panel.lines) > 1 or panel.marked
    height = HEIGHT + (-(-len(panel.lines) // LABELS) * ROW if labelled else 0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" {FONT}>',
        f'<text x="0" y="16" font-size="13" font-weight="bold">{escape(panel.title)}</text>',
        *_grid(across, up, over),
        *(part for number, line in enumerate(panel.lines) for part in _line(line, number, across, up, panel.marked)),
        *(_labels(panel) if labelled else ()),
        "</svg>",
    ]
    return "".join(parts).encode()


def _x(across: Axis, value: float) -> float:
    return LEFT + across.at(value) * (WIDTH - LEFT - RIGHT)


def _y(up: Axis, value: float) -> float:
    return TOP + (1 - up.at(value)) * (HEIGHT - TOP - BOTTOM)


def _grid(across: Axis, up: Axis, over: str) -> Iterator[str]:
    for value in up.ticks(6):
        y = _y(up, value)
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="var(--faint)"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{called(value)}</text>'
    for value in across.ticks(6):
        yield (
            f'<text x="{_x(across, value):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{called(value)}</text>'
        )
    yield f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.1f}" y="{HEIGHT - 6}" text-anchor="middle">{escape(over)}</text>'


def _line(line: Line, number: int, across: Axis, up: Axis, marked: bool) -> Iterator[str]:
    colour = COLOURS[number % len(COLOURS)]
    dashes = f' stroke-dasharray="{4 + number // len(COLOURS) * 2} 3"' if number >= len(COLOURS) else ""
    points = [(_x(across, x), _y(up, y)) for x, y in line.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    last = called(line.points[-1][1])
    yield (
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.6" stroke-linejoin="round"{dashes}>'
        f"<title>{escape(line.label)}: {last}</title></polyline>"
    )
    if marked or len(points) == 1:
        for (x, y), (place, value) in zip(points, line.points, strict=True):
            said = f"{escape(line.label)} at {called(place)}: {value:.4g}"
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"><title>{said}</title></circle>'


def _labels(panel: Panel) -> Iterator[str]:
    for number, line in enumerate(panel.lines):
        x, y = (number % LABELS) * WIDTH / LABELS, HEIGHT + number // LABELS * ROW + 8
        yield f'<rect x="{x:.1f}" y="{y - 8}" width="10" height="10" fill="{COLOURS[number % len(COLOURS)]}"/>'
        yield f'<text x="{x + 14:.1f}" y="{y}">{escape(line.label)}</text>'
