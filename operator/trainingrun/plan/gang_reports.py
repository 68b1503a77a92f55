"""What a gang's report says of its ranks: the pre-flight's figures, and who holds the others up."""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import ValidationError

from trainingrun.api.progress import PreflightResult, Straggler
from trainingrun.plan.draft import timestamp
from trainingrun_workers.contract import Snapshot

MAX_STRAGGLERS: Final = 3
MAX_MEASURES: Final = 16
MAX_RANKS: Final = 2**31 - 1
MAX_LINE: Final = 512
MAX_FOUND: Final = 1024


def numbers(figures: object) -> dict[str, float]:
    """The figures of a report, which anybody's pod may have sent."""
    known = figures if isinstance(figures, Mapping) else {}
    return {name: one for name, one in known.items() if isinstance(one, int | float) and math.isfinite(one)}


def preflight(snapshot: Snapshot, before: PreflightResult | None) -> PreflightResult | None:
    """The pre-flight that a report tells of, else the one before; the same object where it is told again."""
    said = snapshot.preflight
    if not isinstance(said, Mapping) or not said.get("measured"):
        return before
    if before is not None and before.attempt == snapshot.attempt:
        return before
    known = numbers(said)
    ranks, found = known.get("ranks"), said.get("found")
    return PreflightResult(
        attempt=snapshot.attempt,
        at=timestamp(snapshot.time),
        seconds=known.get("seconds"),
        ranks=None if ranks is None else int(min(max(ranks, 0), MAX_RANKS)),
        measured=str(said["measured"])[:MAX_LINE],
        lowest=_by_measure(said.get("lowest")),
        median=_by_measure(said.get("median")),
        found=str(found)[:MAX_FOUND] if found else None,
    )


def _by_measure(figures: object) -> dict[str, float]:
    return {str(name)[:64]: float(f"{one:.5g}") for name, one in [*numbers(figures).items()][:MAX_MEASURES]}


def stragglers(snapshot: Snapshot) -> list[Straggler]:
    """The ranks that hold others up; what is no such thing is passed over."""
    return [*_stragglers(snapshot.stragglers)][:MAX_STRAGGLERS]


def _stragglers(said: tuple[Any, ...]) -> Iterator[Straggler]:
    for one in said[:MAX_MEASURES]:
        try:
            yield Straggler.model_validate(one)
        except ValidationError:
            continue
