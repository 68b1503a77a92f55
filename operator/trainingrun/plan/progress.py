"""How far stages are: the newest report of each, at most one change in so many seconds."""

from trainingrun.api.status import Progress
from trainingrun.plan import checkpoints
from trainingrun.plan.draft import Draft, epoch, timestamp
from trainingrun.stages.instances import Instance
from trainingrun_workers.contract import Snapshot


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
        draft.set(instance.name, progress=_progress(newest))


def newest_report(draft: Draft, instance: Instance) -> Snapshot | None:
    """The newest report of a stage's newest attempt, from whichever pod."""
    attempt = draft.stages[instance.name].attempt
    mine = [one for one in draft.observed.snapshots if one.stage == instance.name and one.attempt == attempt]
    found = [one for one in mine if one.total > 0]  # before that a pod only says that it is there
    return max(found, key=lambda one: (one.step, one.time), default=None)


def last_words(draft: Draft, instance: Instance) -> None:
    """Take the newest report at an attempt's end, however young the one before."""
    newest = newest_report(draft, instance)
    if newest is not None:
        draft.set(instance.name, progress=_progress(newest))
        if instance.kind == "pretrain":
            checkpoints.note_complete(draft, newest.checkpoints)


def _progress(snapshot: Snapshot) -> Progress:
    return Progress(
        step=snapshot.step,
        total=snapshot.total,
        unit=snapshot.unit,
        loss=None if snapshot.loss is None else round(snapshot.loss, 5),
        tokens=snapshot.tokens,
        tokens_per_second=None if snapshot.tokens_per_second is None else round(snapshot.tokens_per_second, 1),
        eta_seconds=None if snapshot.eta_seconds is None else round(snapshot.eta_seconds),
        checkpoint=snapshot.checkpoint,
        activity=snapshot.activity or None,
        reported_at=timestamp(snapshot.time),
    )
