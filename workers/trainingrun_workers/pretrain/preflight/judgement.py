"""What the figures of a gang say: pure, so that every rank comes to the same."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

OUTLIER: Final = 0.7  # of the others' median; healthy cards of a kind differ by a few percent
FEWEST_NODES: Final = 3  # for a median of the others that means something

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
    """What is wrong: with a node, or with the floor or the network where all are low."""

    node: str | None
    message: str


def judge(figures: Sequence[Figures], floors: Mapping[str, float], relative: bool) -> Verdict | None:
    """The first thing that is wrong with a gang, None where nothing is.

    Floors hold always; a node far below the others' median counts only with `relative`, and among three nodes or more.
    """
    for measure in MEASURES:
        nodes = _by_node(figures, measure.name)
        floor = floors.get(measure.name)
        found = _below_floor(measure, nodes, floor) if floor and nodes else None
        if found is None and relative and measure.of_node and measure.name not in ABSOLUTE:
            found = _outlier(measure, nodes)
        if found is not None:
            return found
    return None


def summary(figures: Sequence[Figures]) -> tuple[str, dict[str, float]]:
    """A line with each measure's lowest value and median, and the lowest values by name."""
    columns = {one: [float(rank[one.name]) for rank in figures if one.name in rank] for one in MEASURES}
    parts = [
        f"{one.words} {min(values):.3g} {one.unit} (median {statistics.median(values):.3g})"
        for one, values in columns.items()
        if values
    ]
    return "; ".join(parts), {one.name: min(values) for one, values in columns.items() if values}


def _by_node(figures: Sequence[Figures], name: str) -> dict[str, float]:
    """Each node's lowest value."""
    nodes: dict[str, float] = {}
    for one in figures:
        if name in one:
            nodes[one["node"]] = min(float(one[name]), nodes.get(one["node"], float("inf")))
    return nodes


def _below_floor(measure: Measure, nodes: Mapping[str, float], floor: float) -> Verdict | None:
    low = {node: value for node, value in nodes.items() if value < floor}
    if not low:
        return None
    worst = min(low, key=lambda node: low[node])
    if len(low) == len(nodes) or not measure.of_node:
        advice = "lower the floor, or look at the network profile, the volume or the pods' sizes"
        return Verdict(
            None,
            f"The whole gang is below the floor pretrain.preflight.{measure.name} of {floor:.4g} {measure.unit}: "
            f"{measure.words} came to {low[worst]:.4g} at worst and {max(nodes.values()):.4g} at best; {advice}.",
        )
    return Verdict(worst, f"{_figure(measure, nodes, worst)}; the floor is {floor:.4g}.")


def _outlier(measure: Measure, nodes: Mapping[str, float]) -> Verdict | None:
    if len(nodes) < FEWEST_NODES:
        return None
    worst = min(nodes, key=lambda node: nodes[node])
    if nodes[worst] >= OUTLIER * _others(nodes, worst):
        return None
    return Verdict(worst, f"{_figure(measure, nodes, worst)}: look at it before it is used again.")


def _figure(measure: Measure, nodes: Mapping[str, float], node: str) -> str:
    return (
        f"Node {node} lets the gang down: {measure.words} came to {nodes[node]:.4g} {measure.unit}, where the others' "
        f"median is {_others(nodes, node):.4g}"
    )


def _others(nodes: Mapping[str, float], node: str) -> float:
    return statistics.median(value for name, value in nodes.items() if name != node)
