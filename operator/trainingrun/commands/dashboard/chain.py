"""The chain of a run's stages as a picture: where each box stands and what leads to what; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from trainingrun.api.status import StageStatus
from trainingrun.api.training_run import TrainingRunSpec
from trainingrun.plan.times import duration
from trainingrun.stages.instances import Instance, instances

BASE: Final = "base model"
SHARED: Final = "all models"  # the lane of what belongs to no one model
SHARED_KINDS: Final = frozenset({"compare", "report", "judge"})
UNPLACED: Final = "other"  # of stages that the spec has no more
IN_TURN: Final = frozenset({"WaitingForStage", "WaitingForCheckpoints"})  # reasons that the edges tell already
# A stage is behind what it follows, as it is behind what it needs.
Box = dict[str, Any]


def chain(spec: TrainingRunSpec | None, stages: Sequence[StageStatus]) -> dict[str, Any]:
    """Boxes with a column (`depth`, from 0) and a row (`lane`), edges by name, and the lanes' names.

    A stage that is in the status and not in the spec, or all where the spec can't be read, stands without edges.
    """
    planned = instances(spec) if spec is not None else ()
    known = {one.name: one for one in stages}
    depths = _depths(planned)
    lanes = _lanes(planned, known)
    boxes = [
        _box(one.name, one.kind, depths[one.name], lanes.index(_lane(one)), known.get(one.name)) for one in planned
    ]
    _apart(boxes)
    strangers = [one for one in stages if one.name not in depths]
    boxes += [
        _box(one.name, one.kind, position, len(lanes) - 1, one) for position, one in enumerate(strangers)
    ]  # fmt: skip
    return {"boxes": boxes, "edges": _edges(planned), "lanes": lanes}


def _before(one: Instance) -> tuple[str, ...]:
    return (*one.needs, *((one.follows,) if one.follows else ()))


def _depths(planned: Sequence[Instance]) -> dict[str, int]:
    """The column of each stage: one behind the last of those before it."""
    found: dict[str, int] = {}
    for one in planned:  # each comes after those that it needs
        found[one.name] = 1 + max((found[name] for name in _before(one) if name in found), default=-1)
    return found


def _apart(boxes: Sequence[Box]) -> None:
    """Move what would stand on another box, as a judge on a report, to the right."""
    taken: set[tuple[int, int]] = set()
    for box in boxes:
        while (box["lane"], box["depth"]) in taken:
            box["depth"] += 1
        taken.add((box["lane"], box["depth"]))


def _lane(one: Instance) -> str:
    if one.kind in SHARED_KINDS:
        return SHARED
    return one.variant or BASE


def _lanes(planned: Sequence[Instance], known: Mapping[str, StageStatus]) -> list[str]:
    lanes = list(dict.fromkeys(_lane(one) for one in planned))
    if SHARED in lanes:  # below those that it takes from
        lanes.remove(SHARED)
        lanes.append(SHARED)
    named = {one.name for one in planned}
    return lanes + ([UNPLACED] if set(known) - named else [])


def _edges(planned: Sequence[Instance]) -> list[dict[str, Any]]:
    """Without those that only repeat what others say: release needs convert, which evaluate needs as well."""
    before = {one.name: _before(one) for one in planned}
    behind = {name: _all_before(name, before) for name in before}
    return [
        {"from": first, "to": name, "follows": one.follows == first}
        for one in planned
        for name in [one.name]
        for first in before[name]
        if not any(first in behind[other] for other in before[name] if other != first)
    ]


def _all_before(name: str, before: Mapping[str, Sequence[str]]) -> set[str]:
    found: set[str] = set()
    todo = list(before.get(name, ()))
    while todo:
        one = todo.pop()
        if one not in found:
            found.add(one)
            todo += before.get(one, ())
    return found


def _box(name: str, kind: str, depth: int, lane: int, stage: StageStatus | None) -> Box:
    return {
        "name": name,
        "kind": kind,
        "depth": depth,
        "lane": lane,
        "phase": stage.phase if stage else "Pending",
        "attempt": stage.attempt if stage else 0,
        "fraction": fraction(stage),
        "text": _text(stage),
        "message": (stage.message if stage else None) or "",
    }


def fraction(stage: StageStatus | None) -> float | None:
    """How much of a stage is done, from 0 to 1; None where nobody knows."""
    if stage is None:
        return None
    if stage.phase == "Succeeded":
        return 1.0
    progress = stage.progress
    if progress is None or progress.total <= 0:
        return None
    return min(max(progress.step / progress.total, 0.0), 1.0)


def _text(stage: StageStatus | None) -> str:
    """What stands under the stage's name: how far it is while it runs, how long it took once it is done, else why."""
    if stage is None:
        return "Pending"
    progress = stage.progress
    if stage.phase == "Running" and progress is not None and progress.total:
        return f"{progress.step:,} / {progress.total:,} {progress.unit}"
    if stage.phase == "Succeeded":
        return _took(stage) or "done"
    return stage.phase if stage.reason in IN_TURN else stage.reason or stage.phase


def _took(stage: StageStatus) -> str | None:
    from trainingrun.plan.draft import epoch

    if not stage.started_at or not stage.finished_at:
        return "used again" if stage.attempt == 0 else None
    return f"took {duration(round(max(epoch(stage.finished_at) - epoch(stage.started_at), 0.0)))}"
