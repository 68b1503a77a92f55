"""The benchmark's tables, as they are printed and as docs/performance.md has them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from bench.contenders import Outcome
from bench.costs import Cost, median
from bench.markdown import table

TRILLION: Final = 1e12


def comparison(script: Sequence[Outcome], stage: Sequence[Outcome], megabytes: float) -> str:
    """Both ways in one process each: medians, the least and the most, and how they compare."""
    theirs, ours = (median([one.cost for one in found]) for found in (script, stage))
    same = "identical" if _same(script, stage) else "DIFFERENT"
    rows = [
        ("", "wall, s", "CPU, s", "resident, MB", "MB/s", "MB/CPU-s", "tokens/s", "bytes"),
        ("datatrove's own steps", *_figures(script, theirs, megabytes), "reference"),
        ("this stage, one pod", *_figures(stage, ours, megabytes), same),
        (
            "ratio", f"{theirs.wall / ours.wall:.1f}×", f"{theirs.cpu / ours.cpu:.1f}×",
            f"{theirs.resident / ours.resident:.1f}×", "", "", "", "",
        ),
    ]  # fmt: skip
    return table(rows)


def pods(found: Mapping[int, Sequence[Outcome]], reference: Outcome, megabytes: float) -> str:
    """Several pods at the same time, by their number, against one of them."""
    costs = {number: median([one.cost for one in outcomes]) for number, outcomes in found.items()}
    alone = costs[min(costs)]
    rows = [("pods at once", "wall, s", "CPU, s", "resident of each, MB", "MB/s", "faster", "ids")]
    for number, cost in costs.items():
        same = all(one.digest == reference.digest for one in found[number])
        rows.append((
            str(number), f"{cost.wall:.1f}", f"{cost.cpu:.1f}", f"{cost.resident / 1e6:.0f}",
            f"{megabytes / cost.wall:.1f}", f"{alone.wall / cost.wall:.2f}×", "identical" if same else "DIFFERENT",
        ))  # fmt: skip
    return table(rows)


def trillion(outcomes: Sequence[Outcome], starts: Sequence[Outcome]) -> float:
    """CPU-hours for 10¹² tokens at the rate of a way, without what it takes to start, which is there once."""
    whole, start = (median([one.cost for one in found]).cpu for found in (outcomes, starts))
    return (whole - start) / (outcomes[0].tokens - starts[0].tokens) * TRILLION / 3600


def start_up(starts: Sequence[Outcome]) -> str:
    """What a way takes over a single document."""
    cost = median([one.cost for one in starts])
    return f"{cost.wall:.1f} s and {cost.cpu:.1f} CPU-s"


def is_identical(alone: Sequence[Sequence[Outcome]], shared: Iterable[Sequence[Outcome]]) -> bool:
    """Whether every round of every way wrote the same; of the ways that share the work, the same ids."""
    ids = {one.digest for outcomes in (*alone, *shared) for one in outcomes}
    return all(_same(alone[0], one) for one in alone) and len(ids) == 1


def _same(script: Sequence[Outcome], stage: Sequence[Outcome]) -> bool:
    written = [(one.digest, *sorted(one.sides.items())) for one in (*script, *stage)]
    return all(one == written[0] for one in written)


def _figures(found: Sequence[Outcome], cost: Cost, megabytes: float) -> tuple[str, ...]:
    walls, cpus = [one.cost.wall for one in found], [one.cost.cpu for one in found]
    return (
        f"{cost.wall:.1f} ({min(walls):.1f}–{max(walls):.1f})", f"{cost.cpu:.1f} ({min(cpus):.1f}–{max(cpus):.1f})",
        f"{cost.resident / 1e6:.0f}", f"{megabytes / cost.wall:.1f}", f"{megabytes / cost.cpu:.1f}",
        f"{found[0].tokens / cost.wall:,.0f}",
    )  # fmt: skip
