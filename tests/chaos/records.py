"""What was measured: a record for each fault that was produced, percentiles of many, the table of them all."""

import dataclasses
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

Figures = dict[str, float]

# The figures that every fault is measured by, as the table's columns, with the limit of the 95th percentile.
ENDED, FREE, RUNNING, STEPPING, LOST = "attempt over", "pods gone", "gang running", "first step", "steps lost"
COLUMNS: Final = (ENDED, FREE, RUNNING, STEPPING, LOST)
LIMITS: Final = {FREE: 30.0, RUNNING: 60.0, STEPPING: 120.0}


@dataclass(frozen=True)
class Record:
    """One fault, and what came of it; times are in seconds since the fault."""

    fault: str
    recovered: bool
    figures: Figures = field(default_factory=dict)
    note: str = ""

    def to_json(self) -> str:
        """A line of the file of records."""
        return json.dumps(dataclasses.asdict(self))


def given(record: Record, whole: bool) -> Record:
    """The record, which is one of a recovery only where the run's curve has each step exactly once."""
    if whole:
        return record
    note = f"The curve does not have each step exactly once. {record.note}"
    return dataclasses.replace(record, recovered=False, note=note)


def read(file: Path) -> list[Record]:
    """The records of a file; none where there is no such file."""
    lines = file.read_text().splitlines() if file.is_file() else []
    return [Record(**json.loads(line)) for line in lines]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that at least this share of them do not exceed (the nearest-rank method)."""
    return sorted(values)[max(math.ceil(share * len(values)), 1) - 1]


def too_slow(records: Iterable[Record]) -> list[str]:
    """A sentence for each fault whose 95th percentile is above a limit."""
    found = []
    for fault, group in by_fault(records).items():
        for name, limit in LIMITS.items():
            values = _values(group, name)
            if values and percentile(values, 0.95) > limit:
                found.append(f"{fault}: {name} after {percentile(values, 0.95):.0f} s, which is above {limit:.0f} s.")
    return found


def by_fault(records: Iterable[Record]) -> dict[str, list[Record]]:
    """The records of each fault, in the order in which the faults first came."""
    groups: dict[str, list[Record]] = {}
    for one in records:
        groups.setdefault(one.fault, []).append(one)
    return groups


def table(records: Iterable[Record]) -> str:
    """Markdown: a row a fault, with the median and the 95th percentile of each figure."""
    heads = [f"{name}, s" if name != LOST else name for name in COLUMNS]
    heads = [
        f"{head} (≤ {LIMITS[name]:.0f})" if name in LIMITS else head for name, head in zip(COLUMNS, heads, strict=True)
    ]
    lines = [_row(["fault", "tried", "recovered", *heads, "besides"])]
    lines.append("| --- | ---: | ---: |" + " ---: |" * len(heads) + " --- |")
    for fault, group in by_fault(records).items():
        recovered = sum(one.recovered for one in group)
        cells = [_cell(_values(group, name), 0 if name == LOST else 1) for name in COLUMNS]
        lines.append(_row([fault, str(len(group)), str(recovered), *cells, _besides(group)]))
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(values: Sequence[float], digits: int) -> str:
    if not values:
        return "–"
    return f"{percentile(values, 0.5):.{digits}f} / {percentile(values, 0.95):.{digits}f}"


def _values(group: Iterable[Record], name: str) -> list[float]:
    return [one.figures[name] for one in group if name in one.figures]


def _besides(group: Sequence[Record]) -> str:
    others: dict[str, Any] = {name: None for one in group for name in one.figures if name not in COLUMNS}
    return "; ".join(f"{name} {_cell(_values(group, name), 1)} s" for name in others)
