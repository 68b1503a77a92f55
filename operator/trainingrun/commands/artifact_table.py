"""What lies on a claim as a table for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

HEADER: Final = ("KIND", "FOLDER", "SIZE", "AGE", "COMPLETE", "USED BY")
AGES: Final = ((172_800, 86_400, "d"), (7200, 3600, "h"), (120, 60, "m"), (0, 1, "s"))

Artifact = Mapping[str, Any]


def table(artifacts: Iterable[Artifact]) -> list[str]:
    """A line for each artifact, the largest of a kind first, under a header."""
    ordered = sorted(artifacts, key=lambda one: (one["kind"], -one["bytes"], one["path"]))
    rows = [HEADER, *(_cells(one) for one in ordered)]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _cells(one: Artifact) -> tuple[str, ...]:
    complete = "yes" if one["complete"] else "no"
    return (
        one["kind"],
        one["path"],
        size(one["bytes"]),
        _age(one["ageSeconds"]),
        complete,
        ", ".join(one["usedBy"]) or "-",
    )


def size(number: float) -> str:
    """Bytes for people."""
    from trainingrun_workers.tokenization.room import in_words

    return in_words(number)


def _age(seconds: float) -> str:
    return next(f"{seconds // length:.0f}{unit}" for least, length, unit in AGES if seconds >= least)
