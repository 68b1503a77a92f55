"""When a run last got on: what no-progress alarms and messages count from."""

from typing import Final

from trainingrun.api.status import TrainingRunStatus
from trainingrun.plan.draft import epoch

EXPECTED: Final = frozenset({"Running", "Waiting"})  # phases of a run that is meant to get on
TURNS: Final = frozenset({"Suspended", "Failed", "Succeeded", "Valid"})  # conditions whose change is a new beginning


def last_progress(status: TrainingRunStatus, created_at: str) -> float | None:
    """Seconds since the epoch of a run's last progress; None while none is expected of it.

    Progress is a stage that began or ended, a step, a batch that is complete, and a person's change that lets it go on.
    A run that waits for another one's result is not expected to get on either.
    """
    if status.phase not in EXPECTED or _waits_for_another(status):
        return None
    times = [created_at or None]
    for stage in status.stages:
        times += [stage.started_at, stage.finished_at]
        times.append(stage.progress.advanced_at if stage.progress is not None else None)
    times += [one.ended_at for one in status.attempts if one.cause == "Completed"]
    times += [one.last_transition_time for one in status.conditions if one.type in TURNS]
    return max(epoch(one) for one in times)


def _waits_for_another(status: TrainingRunStatus) -> bool:
    going = [stage for stage in status.stages if stage.phase == "Running"]
    return not going and any(stage.reason == "FolderInUse" for stage in status.stages)
