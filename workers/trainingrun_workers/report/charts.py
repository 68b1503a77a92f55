"""The report's figures: bars by benchmark and by language, and lines over training steps."""

from collections.abc import Mapping
from typing import Any, Final

from trainingrun_workers.evaluate.plot import COLOURS, INK, STYLE, written
from trainingrun_workers.report.curves import Points

BARS: Final = 28  # of a panel at most, unless one task alone has more
PANEL: Final = (5.6, 3.3)  # inches
LINE_PANEL: Final = (4.2, 2.4)
HATCHES: Final = ("", "//", "..", "xx")  # for models beyond the colours
NONE: Final = float("nan")  # where there is no standard error to draw

# One panel: its title, its groups' labels, and of each model the score and the standard error in each group.
Panel = tuple[str, list[str], dict[str, list[tuple[float, float] | None]]]


def comparison_figure(content: Mapping[str, Any], kind: str, columns: int) -> bytes:
    """Bars by benchmark, a panel a metric or more where there are many, with one standard error."""
    return _bars(_benchmarks(content), [model["name"] for model in content["models"]], kind, columns)


def language_figure(content: Mapping[str, Any], kind: str, columns: int) -> bytes | None:
    """Bars of each language's mean scores, a panel a metric; None where no task's name tells its language."""
    panels = _languages(content)
    return _bars(panels, [model["name"] for model in content["models"]], kind, columns) if panels else None


def line_figure(points: Points, title: str, logarithmic: bool) -> bytes:
    """One curve over training steps, as SVG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import EngFormatter, MaxNLocator

    with mpl.rc_context(STYLE):
        figure, panel = plt.subplots(figsize=LINE_PANEL, layout="constrained")
        panel.plot([step for step, _ in points], [value for _, value in points], color=COLOURS[0], linewidth=1.2)
        if logarithmic and all(value > 0 for _, value in points):
            panel.set_yscale("log")
        else:
            panel.yaxis.set_major_formatter(EngFormatter(sep=""))
        panel.set_title(title, loc="left", fontweight="bold", fontsize=10)
        panel.set_xlabel("training step")
        panel.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        panel.xaxis.set_major_formatter(EngFormatter(sep=""))
        panel.tick_params(length=0)
        return written(figure, "svg")


def _benchmarks(content: Mapping[str, Any]) -> list[Panel]:
    size = max(1, BARS // len(content["models"]))
    panels: list[Panel] = []
    for metric, names in _by_metric(content["series"]).items():
        hint = {True: " (higher is better)", False: " (lower is better)", None: ""}
        title = metric.replace("_", " ") + hint[content["series"][names[0]]["higherIsBetter"]]
        for begin in range(0, len(names), size):
            part = names[begin : begin + size]
            values = {model["name"]: [_score(model, name) for name in part] for model in content["models"]}
            panels.append((title, [content["series"][name]["task"] for name in part], values))
    return panels


def _languages(content: Mapping[str, Any]) -> list[Panel]:
    groups = list(dict.fromkeys(group for model in content["models"] for group in model["languages"]))
    panels: list[Panel] = []
    for metric in dict.fromkeys(group.partition("/")[2] for group in groups):
        part = [group for group in groups if group.partition("/")[2] == metric]
        values = {model["name"]: [_mean(model, group) for group in part] for model in content["models"]}
        panels.append(
            (f"{metric.replace('_', ' ')}, mean by language", [one.partition("/")[0] for one in part], values)
        )
    return panels


def _by_metric(series: Mapping[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, one in series.items():
        found.setdefault(one["metric"], []).append(name)
    return found


def _score(model: Mapping[str, Any], name: str) -> tuple[float, float] | None:
    return (model["scores"][name], model["stderr"].get(name, NONE)) if name in model["scores"] else None


def _mean(model: Mapping[str, Any], group: str) -> tuple[float, float] | None:
    one = model["languages"].get(group)
    return (one["score"], NONE if one["stderr"] is None else one["stderr"]) if one is not None else None


def _bars(panels: list[Panel], models: list[str], kind: str, columns: int) -> bytes:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    with mpl.rc_context(STYLE):
        size = (PANEL[0] * columns, PANEL[1] * rows + 0.25 * -(-len(models) // (2 * columns)))
        figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
        flat = list(axes.flat)
        for axis, panel in zip(flat, panels, strict=False):
            _draw_bars(axis, panel)
        for axis in flat[len(panels) :]:
            axis.set_visible(False)
        handles, labels = flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower left", ncols=2 * columns, fontsize=9)
        return written(figure, kind)


def _draw_bars(axis: Any, panel: Panel) -> None:
    title, labels, values = panel
    width = 0.84 / len(values)
    for number, (model, scores) in enumerate(values.items()):
        there = [(group, one) for group, one in enumerate(scores) if one is not None]
        axis.bar(
            [group - 0.42 + width * (number + 0.5) for group, _ in there],
            [score for _, (score, _) in there],
            width * 0.92,
            yerr=[error for _, (_, error) in there],
            error_kw={"ecolor": INK, "elinewidth": 0.9, "capsize": 1.5},
            color=COLOURS[number % len(COLOURS)],
            hatch=HATCHES[number // len(COLOURS) % len(HATCHES)],
            label=model,
        )
    axis.set_title(title, loc="left", fontweight="bold", fontsize=10)
    slanted: dict[str, Any] = {"rotation": 20, "ha": "right", "rotation_mode": "anchor"} if len(labels) > 3 else {}
    axis.set_xticks(range(len(labels)), labels, **slanted)
    axis.tick_params(length=0)
    axis.margins(x=0.02)
