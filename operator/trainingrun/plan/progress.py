"""How far stages are: the newest report of each, at most one change in so many seconds."""

from typing import Final

from trainingrun.api.progress import Measured, Progress
from trainingrun.plan import checkpoints, gang_reports, losses
from trainingrun.plan.draft import Draft, epoch, timestamp
from trainingrun.plan.gang_reports import numbers
from trainingrun.stages.instances import Instance
from trainingrun_workers.contract import MEASURED, Snapshot

SPEED: Final = "textBytesPerSecond"  # the name under which a pod that tokenizes counts its own
FRESH_SECONDS: Final = 60.0  # pods that have said nothing for so long are not at work
MAX_COUNTS: Final = 200
MAX_NOTES: Final = 8
MAX_NOTE: Final = 256  # characters


def take_reports(draft: Draft, instance: Instance) -> None:
    """Put a running stage's newest report into its progress, and new checkpoints into the list."""
    stage = draft.stages[instance.name]
    newest = newest_report(draft, instance)
    if newest is None:
        return
    if instance.kind == "pretrain":
        checkpoints.note_complete(draft, newest.checkpoints)
    old = epoch(stage.progress.reported_at) if stage.progress else 0.0
    if newest.time - old >= draft.context.settings.progress_seconds:
        _tell(draft, instance, newest)


def newest_report(draft: Draft, instance: Instance) -> Snapshot | None:
    """The newest report of a stage's newest attempt, from whichever pod."""
    return max(_reports(draft, instance), key=lambda one: (one.step, one.time), default=None)


def _reports(draft: Draft, instance: Instance) -> list[Snapshot]:
    attempt = draft.stages[instance.name].attempt
    mine = [one for one in draft.observed.snapshots if one.stage == instance.name and one.attempt == attempt]
    return [one for one in mine if one.total > 0]  # before that a pod only says that it is there


def last_words(draft: Draft, instance: Instance) -> None:
    """Take the newest report at an attempt's end, however young the one before."""
    newest = newest_report(draft, instance)
    if newest is not None:
        _tell(draft, instance, newest)
        if instance.kind == "pretrain":
            checkpoints.note_complete(draft, newest.checkpoints)


def _tell(draft: Draft, instance: Instance, newest: Snapshot) -> None:
    points = losses.with_point(draft.stages[instance.name].losses, newest.step, newest.loss)
    told = gang_reports.preflight(newest, draft.stages[instance.name].preflight)
    draft.set(instance.name, progress=_progress(draft, instance, newest), losses=points, preflight=told)


def _progress(draft: Draft, instance: Instance, snapshot: Snapshot) -> Progress:
    progress = Progress(
        step=snapshot.step,
        total=snapshot.total,
        unit=snapshot.unit,
        loss=None if snapshot.loss is None else round(snapshot.loss, 5),
        tokens=snapshot.tokens,
        tokens_per_second=_rate(snapshot.tokens_per_second),
        eta_seconds=None if snapshot.eta_seconds is None else round(snapshot.eta_seconds),
        checkpoint=_checkpoint(draft.stages[instance.name].progress, snapshot),
        activity=snapshot.activity or None,
        measured=_measured(snapshot),
        stragglers=gang_reports.stragglers(snapshot),
        profile=None if snapshot.profile is None else str(snapshot.profile)[:MAX_NOTE],
        profile_error=None if snapshot.profile_error is None else str(snapshot.profile_error)[:MAX_NOTE],
        notes=[str(note)[:MAX_NOTE] for note in snapshot.notes[:MAX_NOTES]],
        reported_at=timestamp(snapshot.time),
        **_changed_at(draft.stages[instance.name].progress, snapshot),
    )
    if instance.kind != "tokenize":
        return progress
    at_work = [one for one in _reports(draft, instance) if snapshot.time - one.time < FRESH_SECONDS]
    rates = {
        "tokens_per_second": _rate(sum(one.tokens_per_second or 0.0 for one in at_work)),
        "text_bytes_per_second": _rate(sum(numbers(one.counts).get(SPEED, 0.0) for one in at_work)),
    }
    return progress.model_copy(update={"counts": _counts(snapshot), **rates})


def _changed_at(before: Progress | None, snapshot: Snapshot) -> dict[str, str | None]:
    """When the step and the newest checkpoint changed last, by the pods' clocks."""
    now, old = timestamp(snapshot.time), before or Progress()
    return {
        "advanced_at": old.advanced_at if before is not None and snapshot.step == old.step else now,
        "checkpoint_at": old.checkpoint_at if _checkpoint(before, snapshot) == old.checkpoint else now,
    }


def _checkpoint(before: Progress | None, snapshot: Snapshot) -> int | None:
    # An attempt knows of none until it has looked: those of the attempt before are there all the same.
    return before.checkpoint if snapshot.checkpoint is None and before is not None else snapshot.checkpoint


def _rate(rate: float | None) -> float | None:
    return None if rate is None else round(rate, 1)


def _counts(snapshot: Snapshot) -> dict[str, int]:
    """Those that are not nought: of the stage first, then of its sources."""
    told = {name: round(value) for name, value in numbers(snapshot.counts).items() if name != SPEED}
    names = sorted((name for name, value in told.items() if value), key=lambda name: ("." in name, name))
    return {name: told[name] for name in names[:MAX_COUNTS]}


def _measured(snapshot: Snapshot) -> Measured | None:
    told = {name: value for name, value in numbers(snapshot.measured).items() if name in MEASURED}
    return Measured(**told) if told else None
