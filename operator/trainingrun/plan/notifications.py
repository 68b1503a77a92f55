"""Messages to people: what a run has to tell of, and what has become of each.

The status leads here too: a message stands in the status, in the same write as what it tells of, before it is sent, and
what has become of it is noted there. So an operator that dies sends nothing twice, but for one that it had just sent.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from trainingrun.api.base import seconds
from trainingrun.api.status import (
    MAX_NOTIFICATIONS,
    GpuHours,
    Notification,
    NotifiedEvent,
    StageStatus,
    TrainingRunStatus,
)
from trainingrun.plan.draft import Draft, epoch, timestamp
from trainingrun.plan.observed import Delivery
from trainingrun.plan.silence import last_progress
from trainingrun.plan.times import duration

MAX_TEXT: Final = 500  # characters


def noted(draft: Draft, after: TrainingRunStatus) -> TrainingRunStatus:
    """The status with its messages: what has become of those before, then those that this pass gives reason for."""
    before = draft.context.run.status
    known = [_settled(one, draft.observed.deliveries) for one in before.notifications]
    if draft.context.settings.notifies:
        known += _new(draft, before, after)
    return after.model_copy(update={"notifications": known[-MAX_NOTIFICATIONS:]})


def pending(status: TrainingRunStatus) -> tuple[Notification, ...]:
    """The messages that are still to be sent, by the persisted status."""
    return tuple(one for one in status.notifications if one.sent_at is None and one.error is None)


def _settled(one: Notification, deliveries: Sequence[Delivery]) -> Notification:
    if one.sent_at is not None or one.error is not None:
        return one
    for delivery in deliveries:
        if (delivery.event, delivery.stage, delivery.at) == (one.event, one.stage, one.at):
            sent_at = timestamp(delivery.time) if delivery.error is None else None
            return one.model_copy(update={"text": None, "sent_at": sent_at, "error": delivery.error})
    return one


def _new(draft: Draft, before: TrainingRunStatus, after: TrainingRunStatus) -> Iterable[Notification]:
    wanted = draft.context.run.spec.notifications.events
    events = draft.context.settings.notify_events if wanted is None else wanted
    if "Failed" in events:
        yield from _failures(draft, before, after)
    if "Finished" in events and after.phase == "Succeeded" != before.phase:
        yield _message(draft, "Finished", None, f"has finished{_took(draft)}.{_gpu_hours(after.gpu_hours)}")
    if "Silent" in events:
        yield from _silence(draft, before, after)


def _message(draft: Draft, event: NotifiedEvent, stage: str | None, what: str) -> Notification:
    run = draft.context.run.metadata
    text = f"Run {run.namespace}/{run.name} {what}"
    cut = text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"
    return Notification(event=event, stage=stage, at=timestamp(draft.now), text=cut)


def _failures(draft: Draft, before: TrainingRunStatus, after: TrainingRunStatus) -> Iterable[Notification]:
    failed = {stage.name for stage in before.stages if stage.phase == "Failed"}
    rest = "" if after.phase == "Failed" else " The rest of the run goes on."
    for stage in after.stages:
        if stage.phase == "Failed" and stage.name not in failed:
            what = f"needs a person: stage {stage.name} has failed ({stage.reason}).{rest} {stage.message or ''}"
            yield _message(draft, "Failed", stage.name, what.strip())


def _silence(draft: Draft, before: TrainingRunStatus, after: TrainingRunStatus) -> Iterable[Notification]:
    run = draft.context.run
    since = last_progress(after, run.metadata.created_at)
    if since is None:
        return
    own = run.spec.notifications.silence
    limit = draft.context.settings.notify_silence_seconds if own is None else seconds(own)
    silent = draft.now - since
    if silent < limit:
        draft.wake_in([limit - silent])
    elif not any(one.event == "Silent" and epoch(one.at) >= since for one in before.notifications):
        yield _message(draft, "Silent", None, f"has made no progress for {duration(silent)}.{_where(after)}")


def _where(status: TrainingRunStatus) -> str:
    """The stage that the run is at, and why it stands there."""
    stage = next((one for one in status.stages if one.name == status.stage), None)
    if stage is None:
        return ""
    return f" It is at stage {stage.name}{_progress(stage)}: {stage.message or stage.reason or stage.phase}"


def _progress(stage: StageStatus) -> str:
    known = stage.progress
    return f", {known.step} of {known.total} {known.unit}" if known is not None and known.total else ""


def _took(draft: Draft) -> str:
    created = epoch(draft.context.run.metadata.created_at or None)
    return f" after {duration(draft.now - created)}" if 0.0 < created < draft.now else ""


def _gpu_hours(hours: GpuHours) -> str:
    lost = sum(hours.lost.values())
    return f" GPU-hours: {hours.useful:.1f} useful, {lost:.1f} lost." if hours.useful or lost else ""
