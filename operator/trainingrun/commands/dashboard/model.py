"""What the page shows, as JSON, made of documents of the API server: pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from trainingrun.api import names
from trainingrun.api.status import StageStatus, TrainingRunStatus
from trainingrun.api.training_run import TrainingRunSpec, parse_status
from trainingrun.commands.dashboard import checkpoints, curves, timeline
from trainingrun.commands.dashboard.chain import chain, fraction
from trainingrun.plan.draft import epoch

EVENTS: Final = 100
PODS: Final = 200
# The conditions that say something is wrong, with the value that says so.
WRONG: Final = (("Failed", "True"), ("Valid", "False"))
WAITS: Final = ("Progressing", "False")  # told while the run waits
# Which run is looked at first.
ORDER: Final = ("Failed", "Running", "Waiting", "Pending", "Suspended", "Succeeded")

Raw = Mapping[str, Any]


def overview(runs: Iterable[Raw]) -> dict[str, Any]:
    """All runs, those that want to be looked at first, and the newest of each kind first."""
    rows = [_summary(raw) for raw in runs]
    rows.sort(key=lambda row: (ORDER.index(row["phase"]) if row["phase"] in ORDER else 0, -row["created"], row["name"]))
    return {"runs": rows}


def _summary(raw: Raw) -> dict[str, Any]:
    status, trouble = status_of(raw)
    told = _told(status)
    created = epoch(raw["metadata"].get("creationTimestamp"))
    return {
        "namespace": raw["metadata"].get("namespace", ""),
        "name": raw["metadata"]["name"],
        "phase": status.phase,
        "deleting": "deletionTimestamp" in raw["metadata"],
        "stage": status.stage,
        "fraction": 1.0 if status.phase == "Succeeded" else fraction(told),
        "progress": status.progress,
        "loss": status.loss,
        "eta": status.eta,
        "restarts": status.restarts,
        "created": created,
        "troubles": trouble or _troubles(status),
    }


def run_view(
    raw: Raw,
    now: float,
    events: Iterable[Raw] = (),
    pods: Iterable[Raw] = (),
    points: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    missing: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Everything about one run; `points` by stage; `missing` says of a part why it is not there."""
    status, trouble = status_of(raw)
    spec = _spec(raw)
    shown = _summary(raw)
    return {
        **shown,
        "uid": raw["metadata"].get("uid", ""),
        "warnings": list(status.warnings),
        "notes": [note for stage in status.stages if stage.progress is not None for note in stage.progress.notes],
        "figures": _figures(status),
        "gpuHours": {"useful": status.gpu_hours.useful, "lost": dict(status.gpu_hours.lost)},
        "avoidedNodes": [{"node": one, "why": status.avoided_because.get(one)} for one in status.avoided_nodes],
        "chain": chain(spec, status.stages),
        "curves": _curves(status, points or {}),
        "scores": checkpoints.scores(status.checkpoints),
        "checkpoints": checkpoints.table(status.checkpoints),
        "timeline": timeline.timeline(status, now),
        "events": _events(events),
        "pods": _pods(pods),
        "missing": dict(missing or {}),
        "unreadable": trouble + ([] if spec is not None else [UNREADABLE_SPEC]),
    }


UNREADABLE_SPEC: Final = (
    "This run's spec can't be read by this version of trainingrun, so the chain is drawn from its status alone: "
    "install the version that the operator has."
)


def status_of(raw: Raw) -> tuple[TrainingRunStatus, list[str]]:
    """The status as far as it can be read, and a sentence for each part that can't."""
    known: dict[str, Any] = dict(raw.get("status") or {})
    unreadable: list[str] = []
    while True:
        try:
            return parse_status(known), unreadable
        except ValidationError as error:
            field = _field(error, known)
            unreadable.append(
                f"The run's status.{field} can't be read by this version of trainingrun: install the version that the "
                "operator has."
            )
            del known[field]


def _field(error: ValidationError, known: Raw) -> str:
    """Which of the status' fields is at fault."""
    return next(str(one["loc"][0]) for one in error.errors() if one["loc"] and one["loc"][0] in known)


def _spec(raw: Raw) -> TrainingRunSpec | None:
    try:
        return TrainingRunSpec.model_validate(raw.get("spec") or {})
    except ValidationError:
        return None


def _told(status: TrainingRunStatus) -> StageStatus | None:
    return next((one for one in status.stages if one.name == status.stage), None)


def _troubles(status: TrainingRunStatus) -> list[str]:
    said = [one.message for one in status.conditions if (one.type, one.status) in WRONG]
    if status.phase == "Waiting":
        said += [one.message for one in status.conditions if (one.type, one.status) == WAITS]
    said += [one.message for one in status.stages if one.phase == "Failed" and one.message]
    longest = sorted(dict.fromkeys(said), key=len, reverse=True)
    return [one for one in dict.fromkeys(said) if not any(one in other for other in longest if other != one)]


def _figures(status: TrainingRunStatus) -> dict[str, Any]:
    """What the run's told stage, or the base model's training where none is, says of itself."""
    stage = _told(status) or next((one for one in status.stages if one.kind == "pretrain"), None)
    progress = stage.progress if stage is not None else None
    if stage is None or progress is None:
        return {"stage": status.stage, "attempt": stage.attempt if stage is not None else 0}
    return {
        "stage": stage.name,
        "attempt": stage.attempt,
        "step": progress.step,
        "total": progress.total,
        "unit": progress.unit,
        "loss": progress.loss,
        "tokens": progress.tokens,
        "tokensPerSecond": progress.tokens_per_second,
        "checkpoint": progress.checkpoint,
        "activity": progress.activity,
        "etaSeconds": progress.eta_seconds,
        "reportedAt": epoch(progress.reported_at) or None,
    }


def _curves(status: TrainingRunStatus, points: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    found = []
    for stage in status.stages:
        lines = curves.series(points.get(stage.name, ()))
        if lines:
            marks = timeline.restarts(status.attempts, stage.name)
            total = stage.progress.total if stage.progress is not None else 0
            found.append({"stage": stage.name, "total": total, "lines": lines, "restarts": marks})
    return found


def _events(events: Iterable[Raw]) -> list[dict[str, Any]]:
    """The newest first."""
    told = [
        {
            "at": epoch(one.get("lastTimestamp") or one.get("eventTime") or one["metadata"].get("creationTimestamp")),
            "type": one.get("type", "Normal"),
            "reason": one.get("reason", ""),
            "message": one.get("message", ""),
            "count": int(one.get("count") or 1),
        }
        for one in events
    ]
    return sorted(told, key=lambda one: one["at"], reverse=True)[:EVENTS]


def _pods(pods: Iterable[Raw]) -> list[dict[str, Any]]:
    """The newest first."""
    told = [_pod(one) for one in pods]
    return sorted(told, key=lambda one: (-one["created"], one["name"]))[:PODS]


def _pod(raw: Raw) -> dict[str, Any]:
    labels, status = raw["metadata"].get("labels") or {}, raw.get("status") or {}
    states = [one.get("state") or {} for one in status.get("containerStatuses") or ()]
    waiting = [one["waiting"].get("reason") for one in states if "waiting" in one]
    ended = [one["terminated"].get("reason") for one in states if "terminated" in one]
    return {
        "name": raw["metadata"]["name"],
        "stage": labels.get(names.LABEL_STAGE, ""),
        "attempt": labels.get(names.LABEL_ATTEMPT, ""),
        "phase": status.get("phase", "Unknown"),
        "reason": next((one for one in (*waiting, *ended, status.get("reason")) if one), None),
        "node": (raw.get("spec") or {}).get("nodeName"),
        "created": epoch(raw["metadata"].get("creationTimestamp")),
    }
