"""The picture of a progression: a panel a metric, a line a task, with one standard error around it."""

import io
from typing import Any, Final

# Okabe and Ito's palette, which colour-blind readers can tell apart too.
COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
INK: Final = "#333333"
FAINT: Final = "#DDDDDD"
GRID: Final = "#EEEEEE"
_PANEL: Final = (5.2, 3.6)  # inches
_COLUMNS: Final = 2
STYLE: Final = {
    "font.size": 10,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "svg.hashsalt": "trainingrun",
    "svg.fonttype": "none",  # text stays text
}


def draw(content: dict[str, Any], kind: str = "png", columns: int = _COLUMNS) -> bytes:
    """The picture of a progression's document with at least one step, as PNG or SVG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    metrics = list(dict.fromkeys(one["metric"] for one in content["series"].values()))
    columns = min(columns, max(1, len(metrics)))
    rows = max(1, -(-len(metrics) // columns))
    with mpl.rc_context(STYLE):
        size = (_PANEL[0] * columns, _PANEL[1] * rows)
        figure, panels = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
        flat = list(panels.flat)
        for panel, metric in zip(flat, metrics, strict=False):
            _panel(panel, metric, content)
        for panel in flat[len(metrics) :]:
            panel.set_visible(False)
        return written(figure, kind)


def written(figure: Any, kind: str) -> bytes:
    """A figure as PNG or SVG, the same bytes for the same figure; it is closed."""
    from matplotlib import pyplot as plt

    buffer = io.BytesIO()
    metadata = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    figure.savefig(buffer, format=kind, dpi=144, metadata=metadata, transparent=kind == "svg")
    plt.close(figure)
    return buffer.getvalue()


def _panel(panel: Any, metric: str, content: dict[str, Any]) -> None:
    from matplotlib.ticker import EngFormatter, MaxNLocator

    names = [name for name, one in content["series"].items() if one["metric"] == metric]
    for index, name in enumerate(names):
        _line(panel, name, content, COLOURS[index % len(COLOURS)], dashed=index >= len(COLOURS))
    better = content["series"][names[0]]["higherIsBetter"]
    hint = {True: " (higher is better)", False: " (lower is better)"}.get(better, "") if better is not None else ""
    panel.set_title(metric.replace("_", " ") + hint, loc="left", fontweight="bold", fontsize=10)
    panel.set_xlabel("training step")
    panel.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    panel.xaxis.set_major_formatter(EngFormatter(sep=""))
    panel.tick_params(length=0)
    panel.margins(x=0.04, y=0.12)
    panel.legend(loc="best", fontsize=9)


def _line(panel: Any, name: str, content: dict[str, Any], colour: str, dashed: bool) -> None:
    points = [
        (one["step"], one["scores"][name], one["stderr"].get(name, 0.0))
        for one in content["steps"]
        if name in one["scores"]
    ]
    steps, values, errors = zip(*points, strict=True)
    if any(errors):
        low = [value - error for value, error in zip(values, errors, strict=True)]
        high = [value + error for value, error in zip(values, errors, strict=True)]
        panel.fill_between(steps, low, high, color=colour, alpha=0.12, linewidth=0)
    label = content["series"][name]["task"]
    panel.plot(steps, values, color=colour, marker="o", markersize=4, linewidth=1.8, label=label,
               linestyle="--" if dashed else "-")  # fmt: skip
