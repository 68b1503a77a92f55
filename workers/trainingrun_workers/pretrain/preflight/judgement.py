"""What the figures of a gang say: pure, so that every rank comes to the same."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from trainingrun_workers.hangs.naming import enumerated
from trainingrun_workers.pretrain.preflight import health

OUTLIER: Final = 0.7  # of the others' median; healthy cards of a kind differ by a few percent
FEWEST_NODES: Final = 3  # for a median of the others that means something
MOST_TOLD: Final = 6  # nodes or measures that a sentence has room for

Figures = Mapping[str, Any]  # a rank's: rank, node, and each measure it has


@dataclass(frozen=True)
class Measure:
    """Something that is measured, the more the better."""

    name: str  # in the figures and in the manifest's floors
    words: str
    unit: str
    of_node: bool = True  # whether a low value is the fault of the node on which it was measured


# In the order in which they are looked at: a slow card slows what comes after it.
MEASURES: Final = (
    Measure("matmulTflops", "matrix product", "TFLOP/s"),
    Measure("shmFree", "free room in /dev/shm", "bytes"),
    Measure("volumeMbs", "writing to the volume", "MB/s"),
    Measure("edgeGbs", "the better link to a neighbour", "GB/s"),
    Measure("allReduceGbs", "all-reduce of the whole gang", "GB/s", of_node=False),
)
ABSOLUTE: Final = frozenset({"shmFree", "volumeMbs"})  # no outliers: rooms may differ, and the volume is everyone's


@dataclass(frozen=True)
class Verdict:
    """What is wrong: with some nodes, or with the floor or the network where most are low and none is named."""

    nodes: tuple[str, ...]  # the worst first
    message: str


def judge(figures: Sequence[Figures], floors: Mapping[str, float], relative: bool) -> Verdict | None:
    """All that is wrong with the nodes of a gang, None where nothing is.

    Cards that count errors come first and are named whatever their number: they accuse themselves. Then floors, which
    hold always, and nodes far below the others' median, which count only with `relative`, and among three nodes or
    more. By what was measured never more than half of the nodes are named: where more are below a floor, none is; what
    another measure would add beyond that is left to the next attempt.
    """
    broken = health.verdicts(figures)
    if broken:
        return Verdict(tuple(broken), " ".join(list(broken.values())[:MOST_TOLD]))
    found = None
    for measure in MEASURES:
        low = _low(measure, _by_node(figures, measure.name), floors.get(measure.name), relative)
        found = _with(found, low, len({str(one["node"]) for one in figures})) if low is not None else found
        if found is not None and not found.nodes:
            break
    return found


def _with(found: Verdict | None, low: Verdict, nodes: int) -> Verdict:
    """What was found so far and by one more measure, of a gang on so many nodes."""
    if found is None:
        return low
    together = tuple(dict.fromkeys((*found.nodes, *low.nodes)))
    # Bad nodes that are known are avoided first: what they slow down is not the floor's fault.
    if not low.nodes or 2 * len(together) > nodes:
        return found
    return Verdict(together, f"{found.message} {low.message}")


def numbers(figures: Sequence[Figures]) -> tuple[dict[str, float], dict[str, float]]:
    """Each measure's lowest value and its median over the ranks that have it, by name."""
    columns = {one.name: [float(rank[one.name]) for rank in figures if one.name in rank] for one in MEASURES}
    known = {name: values for name, values in columns.items() if values}
    return (
        {name: min(values) for name, values in known.items()},
        {name: statistics.median(values) for name, values in known.items()},
    )


def summary(figures: Sequence[Figures]) -> str:
    """A line with each measure's lowest value and median, and what the cards count of errors."""
    lowest, medians = numbers(figures)
    parts = [
        f"{one.words} {_short(lowest[one.name], one.unit)} (median {_short(medians[one.name], one.unit)})"
        for one in MEASURES
        if one.name in lowest
    ]
    return "; ".join([*parts, *health.summary(figures)])


def _short(value: float, unit: str) -> str:
    return f"{value / 2**30:.3g} GiB" if unit == "bytes" else f"{value:.3g} {unit}"


def _low(measure: Measure, nodes: Mapping[str, float], floor: float | None, relative: bool) -> Verdict | None:
    found = _below_floor(measure, nodes, floor) if floor and nodes else None
    if found is None and relative and measure.of_node and measure.name not in ABSOLUTE:
        found = _outliers(measure, nodes)
    return found


def _by_node(figures: Sequence[Figures], name: str) -> dict[str, float]:
    """Each node's lowest value."""
    nodes: dict[str, float] = {}
    for one in figures:
        if name in one:
            nodes[one["node"]] = min(float(one[name]), nodes.get(one["node"], float("inf")))
    return nodes


def _below_floor(measure: Measure, nodes: Mapping[str, float], floor: float) -> Verdict | None:
    low = sorted((node for node, value in nodes.items() if value < floor), key=lambda node: nodes[node])
    if not low:
        return None
    if 2 * len(low) > len(nodes) or not measure.of_node:
        whole = len(low) == len(nodes) or not measure.of_node
        who = "The whole gang is" if whole else f"{len(low)} of {len(nodes)} nodes are"
        advice = "lower the floor, or look at the network profile, the volume or the pods' sizes"
        return Verdict(
            (),
            f"{who} below the floor pretrain.preflight.{measure.name} of {floor:.4g} {measure.unit}: "
            f"{measure.words} came to {nodes[low[0]]:.4g} at worst and {max(nodes.values()):.4g} at best; {advice}.",
        )
    return Verdict(tuple(low), f"{_figures(measure, nodes, low)}; the floor is {floor:.4g}.")


def _outliers(measure: Measure, nodes: Mapping[str, float]) -> Verdict | None:
    """Nodes far below the others: never more than half of them, since the lower median of the others is compared."""
    if len(nodes) < FEWEST_NODES:
        return None
    low = [node for node in nodes if nodes[node] < OUTLIER * _others(nodes, (node,))]
    if not low:
        return None
    low.sort(key=lambda node: nodes[node])
    look = "it before it is" if len(low) == 1 else "them before they are"
    return Verdict(tuple(low), f"{_figures(measure, nodes, low)}: look at {look} used again.")


def _figures(measure: Measure, nodes: Mapping[str, float], low: Sequence[str]) -> str:
    median = f"where the others' median is {_others(nodes, low):.4g}"
    if len(low) == 1:
        value = f"{nodes[low[0]]:.4g} {measure.unit}"
        return f"Node {low[0]} lets the gang down: {measure.words} came to {value}, {median}"
    values = ", ".join(f"{nodes[node]:.4g} {measure.unit} on {node}" for node in low[:MOST_TOLD])
    return f"Nodes {listed(low)} let the gang down: {measure.words} came to {values}, {median}"


def listed(names: Sequence[str]) -> str:
    """Names as a sentence has them: "a, b and c", or "a, b and 7 more" where there are many."""
    shown = [*names[:MOST_TOLD]]
    if len(names) > MOST_TOLD:
        shown[-1] = f"{len(names) - MOST_TOLD + 1} more"
    return enumerated(shown)


def _others(nodes: Mapping[str, float], left_out: Sequence[str]) -> float:
    return statistics.median_low(value for name, value in nodes.items() if name not in left_out)
