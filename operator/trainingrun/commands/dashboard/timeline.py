"""When each stage ran, and how each of its attempts ended; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from trainingrun.api.status import Attempt, StageStatus, TrainingRunStatus
from trainingrun.plan.causes import BUDGETS
from trainingrun.plan.draft import epoch

SHORTEST: Final = 60.0  # seconds that the picture spans
COMPLETED: Final = "Completed"
# How an end looks, by the budget that it counts against: `bad` is a failure, `moved` nobody's fault.
LOOKS: Final = {"preemption": "moved", "placement": "moved", "room": "moved"}


def timeline(status: TrainingRunStatus, now: float) -> dict[str, Any]:
    """Rows of bars, in the stages' order, and the times (seconds since the epoch) that they lie between.

    The status keeps only the newest attempts; what a stage did before those is one bar without a number.
    """
    rows = [row for one in status.stages if (row := _row(one, status.attempts, now)) is not None]
    bars = [bar for row in rows for bar in row["bars"]]
    start = min((bar["from"] for bar in bars), default=now)
    end = max((bar["to"] for bar in bars), default=now)
    return {"start": start, "end": max(end, start + SHORTEST), "rows": rows}


def _row(stage: StageStatus, attempts: Sequence[Attempt], now: float) -> dict[str, Any] | None:
    mine = sorted((one for one in attempts if one.stage == stage.name), key=lambda one: one.number)
    if stage.started_at is None and not mine:
        return None
    bars = [_bar(one, now) for one in mine]
    began = epoch(stage.started_at)
    first = bars[0]["from"] if bars else _end_of(stage, now)
    if stage.started_at is not None and (not mine or mine[0].number > 1) and first > began:
        bars.insert(0, _earlier(stage, began, first, missing=mine[0].number - 1 if mine else stage.attempt))
    return {"stage": stage.name, "bars": bars}


def _end_of(stage: StageStatus, now: float) -> float:
    return epoch(stage.finished_at) if stage.finished_at else now


def _bar(one: Attempt, now: float) -> dict[str, Any]:
    begun = epoch(one.started_at)
    return {
        "number": one.number,
        "from": begun,
        "to": max(epoch(one.ended_at) if one.ended_at else now, begun),
        "look": _look(one),
        "cause": one.cause or ("running" if one.ended_at is None else "ended"),
        "message": one.message or "",
        "fromStep": one.from_step,
        "step": one.step,
        "exitCode": one.exit_code,
        "pod": one.pod,
        "node": one.node,
    }


def _look(one: Attempt) -> str:
    if one.ended_at is None:
        return "running"
    if one.cause in (None, COMPLETED):
        return "good"
    return LOOKS.get(str(BUDGETS.get(one.cause, "")), "bad")


def _earlier(stage: StageStatus, began: float, end: float, missing: int) -> dict[str, Any]:
    many = f"{missing} attempt{'' if missing == 1 else 's'}"
    return {
        "number": None,
        "from": began,
        "to": end,
        "look": "earlier",
        "cause": "earlier",
        "message": f"{many} that the status lists no more.",
        "fromStep": None,
        "step": None,
        "exitCode": None,
        "pod": None,
        "node": None,
    }


def restarts(attempts: Sequence[Attempt], stage: str) -> list[dict[str, Any]]:
    """The steps that a stage went on from after each but its first attempt, for marks in its curve."""
    return [
        {"step": one.from_step, "number": one.number}
        for one in sorted(attempts, key=lambda one: one.number)
        if one.stage == stage and one.number > 1 and one.from_step is not None
    ]
