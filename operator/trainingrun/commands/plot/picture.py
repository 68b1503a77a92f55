"""Panels as one PNG, by matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from trainingrun.commands.manifest import MISUSED, CommandError
from trainingrun.commands.plot.axes import called

if TYPE_CHECKING:
    from trainingrun.commands.plot.panels import Panel

PANEL: Final = (5.2, 3.2)  # inches
COLUMNS: Final = 2
DASHES: Final = ("-", "--", ":", "-.")  # for lines beyond the colours


def drawn(panels: Sequence[Panel], title: str, over: str) -> bytes:
    """The picture; CommandError where matplotlib is not installed."""
    try:
        import matplotlib as mpl
    except ModuleNotFoundError as error:
        raise CommandError(
            "A PNG needs matplotlib: pip install 'trainingrun[plot]', or write HTML, which needs nothing.", MISUSED
        ) from error
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    from trainingrun_workers.evaluate.plot import STYLE, written

    columns = min(COLUMNS, len(panels))
    rows = -(-len(panels) // columns)
    with mpl.rc_context(STYLE):
        size = (PANEL[0] * columns, PANEL[1] * rows + 0.4)
        figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
        flat = list(axes.flat)
        for place, panel in zip(flat, panels, strict=False):
            _draw(place, panel, over)
        for place in flat[len(panels) :]:
            place.set_visible(False)
        return written(figure, "png")


def _draw(place: Any, panel: Panel, over: str) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    from trainingrun_workers.evaluate.plot import COLOURS

    for number, line in enumerate(panel.lines):
        place.plot(
            [x for x, _ in line.points], [y for _, y in line.points], label=line.label, linewidth=1.3,
            color=COLOURS[number % len(COLOURS)], linestyle=DASHES[number // len(COLOURS) % len(DASHES)],
            marker="o" if panel.marked or len(line.points) == 1 else "", markersize=4,
        )  # fmt: skip
    words = FuncFormatter(lambda value, _: called(value))
    if panel.logarithmic:
        place.set_yscale("log")
        place.yaxis.set_minor_formatter(words)
    place.yaxis.set_major_formatter(words)
    place.set_title(panel.title, loc="left", fontweight="bold", fontsize=10)
    place.set_xlabel(over)
    place.xaxis.set_major_locator(MaxNLocator(nbins=6))
    place.xaxis.set_major_formatter(words)
    place.tick_params(length=0)
    if len(panel.lines) > 1 or panel.marked:
        place.legend(loc="best", fontsize=8)
