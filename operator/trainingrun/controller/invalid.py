"""A run that can't even be read: what is said of it, since no decision can be made."""

import datetime
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from trainingrun.api.status import MAX_MESSAGE, Condition, TrainingRunStatus
from trainingrun.api.training_run import Metadata, parse_status
from trainingrun.plan.actions import Event

REASON = "InvalidSpec"
SHOWN = 5  # errors in one message


def sentences(error: ValidationError) -> str:
    """What pydantic says, as a sentence for each of the first few fields."""
    errors = error.errors(include_url=False, include_input=False)
    said = [f"spec.{'.'.join(str(part) for part in one['loc'])}: {one['msg'].rstrip('.')}." for one in errors[:SHOWN]]
    more = len(errors) - SHOWN
    return " ".join([*said, f"And {more} more." if more > 0 else ""]).strip()[:MAX_MESSAGE]


def say(raw: Mapping[str, Any], message: str, now: float) -> tuple[Metadata, TrainingRunStatus, Event] | None:
    """The run's metadata, its new status and the event; None where this was said already."""
    metadata = raw["metadata"]
    try:
        before = parse_status(raw.get("status") or {})
    except ValidationError:
        before = TrainingRunStatus()
    generation = int(metadata.get("generation", 1))
    told = {one.type: one for one in before.conditions}
    new = {
        "Valid": _condition(told.get("Valid"), "Valid", "False", message, generation, now),
        "Stalled": _condition(told.get("Stalled"), "Stalled", "True", message, generation, now),
        "Ready": _condition(told.get("Ready"), "Ready", "False", message, generation, now),
    }
    conditions = [new.get(one.type, one) for one in before.conditions]
    conditions += [one for kind, one in new.items() if kind not in told]
    after = before.model_copy(update={"conditions": conditions, "observed_generation": generation})
    if after == before:
        return None
    known = Metadata(name=metadata["name"], namespace=metadata["namespace"], uid=metadata["uid"], generation=generation)
    return known, after, Event("Warning", REASON, message)


def _condition(
    before: Condition | None, kind: str, status: Any, message: str, generation: int, now: float
) -> Condition:
    unchanged = before is not None and before.status == status
    at = datetime.datetime.fromtimestamp(now, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Condition(
        type=kind,
        status=status,
        reason=REASON,
        message=message,
        observed_generation=generation,
        last_transition_time=before.last_transition_time if unchanged and before else at,
    )
