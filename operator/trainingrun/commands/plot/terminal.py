"""Panels in a terminal: lines of dots, two across and four down in each character, or stars without such characters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from trainingrun.commands.plot.axes import Axis, axis, called

if TYPE_CHECKING:
    from rich.text import Text

    from trainingrun.commands.plot.panels import Line, Panel

COLOURS: Final = ("cyan", "magenta", "green", "yellow", "blue", "red")
HEIGHT: Final = 9  # characters of a panel's field
MARGIN: Final = 8  # characters left of it, for the values
WIDEST: Final = 100
BRAILLE: Final = 0x2800
DOTS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of a braille character, by row and column
ACROSS, DOWN = 2, 4


@dataclass
class Field:
    """A field of dots; each character has the colour of the line that was drawn there last."""

    width: int
    height: int
    dots: dict[tuple[int, int], int] = field(default_factory=dict)
    colours: dict[tuple[int, int], str] = field(default_factory=dict)

    def draw(self, x: float, y: float, colour: str) -> None:
        """A dot; both places between 0 and 1, the second from below."""
        column = round(x * (self.width * ACROSS - 1))
        row = round((1 - y) * (self.height * DOWN - 1))
        cell = (row // DOWN, column // ACROSS)
        self.dots[cell] = self.dots.get(cell, 0) | DOTS[row % DOWN][column % ACROSS]
        self.colours[cell] = colour

    def join(self, one: tuple[float, float], other: tuple[float, float], colour: str) -> None:
        """A straight line between two places."""
        across = abs(other[0] - one[0]) * self.width * ACROSS
        down = abs(other[1] - one[1]) * self.height * DOWN
        steps = max(1, round(max(across, down)))
        for number in range(steps + 1):
            part = number / steps
            self.draw(one[0] + (other[0] - one[0]) * part, one[1] + (other[1] - one[1]) * part, colour)


def drawn(panel: Panel, over: str, width: int, braille: bool) -> Iterator[Text]:
    """The panel's lines: title, field with values beside it, places below it, and what each colour is."""
    from rich.text import Text

    wide = max(10, min(width, WIDEST) - MARGIN - 1)
    across, up = axis(panel.places), axis(panel.values, panel.logarithmic, 0.02)
    made = Field(wide, HEIGHT)
    for number, line in enumerate(panel.lines):
        _draw(made, line, across, up, COLOURS[number % len(COLOURS)])
    yield Text(panel.title, style="bold")
    values = _values(up)
    for row in range(HEIGHT):
        yield _row(made, row, values.get(row, ""), braille)
    left, right = called(across.low), f"{called(across.high)} {over}"
    yield Text(" " * MARGIN + "└" + left + right.rjust(wide - len(left)), style="dim")
    if len(panel.lines) > 1 or panel.marked:
        yield Text("  ").join(
            Text("● " + line.label, style=COLOURS[number % len(COLOURS)]) for number, line in enumerate(panel.lines)
        )


def _draw(made: Field, line: Line, across: Axis, up: Axis, colour: str) -> None:
    places = [(across.at(x), up.at(y)) for x, y in line.points]
    for one, other in zip(places, places[1:] or places, strict=False):
        made.join(one, other, colour)


def _values(up: Axis) -> dict[int, str]:
    """What stands beside which row."""
    rows = {round((1 - up.at(value)) * (HEIGHT - 1)): called(value) for value in up.ticks(5)}
    return {row: text for row, text in rows.items() if 0 <= row < HEIGHT}


def _row(made: Field, row: int, value: str, braille: bool) -> Text:
    from rich.text import Text

    shown = Text(value.rjust(MARGIN) + "│", style="dim")
    for column in range(made.width):
        dots = made.dots.get((row, column), 0)
        character = (chr(BRAILLE + dots) if braille else "*") if dots else " "
        shown.append(character, style=made.colours.get((row, column)))
    shown.rstrip()
    return shown


def plain(lines: Sequence[Text]) -> list[Text]:
    """The same with nothing outside ASCII, for a terminal that has no more."""
    from rich.text import Text

    table = str.maketrans({"│": "|", "└": "+", "●": "*", "…": "."})
    return [Text(one.plain.translate(table)) for one in lines]
