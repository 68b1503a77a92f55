"""The run's log book: what has changed between two statuses, a line each."""

from collections.abc import Iterable

from trainingrun.api.status import StageStatus, TrainingRunStatus
from trainingrun.plan import bad_loss
from trainingrun.plan.actions import Event
from trainingrun.plan.conditions import NEEDS_A_PERSON


def events(before: TrainingRunStatus, after: TrainingRunStatus) -> tuple[Event, ...]:
    """The events of a change; none where nothing has changed."""
    old = {stage.name: stage for stage in before.stages}
    lines: list[Event] = []
    for stage in after.stages:
        lines.extend(_stage(old.get(stage.name) or StageStatus(name=stage.name, kind=stage.kind), stage))
    lines.extend(_checkpoints(before, after))
    lines.extend(_nodes(before, after))
    if before.phase != after.phase and after.phase in ("Succeeded", "Suspended"):
        lines.append(Event("Normal", after.phase, f"The run is {after.phase.lower()}."))
    invalid = _invalid(after)
    if invalid and invalid != _invalid(before):
        lines.append(Event("Warning", "InvalidSpec", invalid))
    return tuple(lines)


def _stage(old: StageStatus, new: StageStatus) -> Iterable[Event]:
    if new.attempt != old.attempt:
        batch = f" for checkpoints {', '.join(str(step) for step in new.batch)}" if new.batch else ""
        yield Event("Normal", "StageStarted", f"Attempt {new.attempt} of stage {new.name} was started{batch}.")
    if (new.restarts, new.preemptions) != (old.restarts, old.preemptions) or new.waits > old.waits:
        yield Event("Warning", new.reason or "AttemptEnded", f"Stage {new.name}: {new.message}")
    elif new.skips != old.skips:
        yield Event("Warning", new.reason or bad_loss.SKIPPED, f"Stage {new.name}: {new.message}")
    elif new.phase == "Failed" and old.phase != "Failed":
        yield Event("Warning", new.reason or "StageFailed", f"Stage {new.name} failed: {new.message}")
    elif new.reason != old.reason and new.reason in NEEDS_A_PERSON:
        yield Event("Warning", new.reason or "", f"Stage {new.name}: {new.message}")
    if new.phase == "Succeeded" and old.phase != "Succeeded":
        yield Event("Normal", "StageSucceeded", f"Stage {new.name} is complete.")


def _checkpoints(before: TrainingRunStatus, after: TrainingRunStatus) -> Iterable[Event]:
    scored = {one.step for one in before.checkpoints if one.scores is not None}
    for checkpoint in after.checkpoints:
        if checkpoint.scores is not None and checkpoint.step not in scored:
            scores = ", ".join(f"{name} {value:.4g}" for name, value in sorted(checkpoint.scores.items())[:8])
            yield Event("Normal", "CheckpointEvaluated", f"Checkpoint {checkpoint.step}: {scores or 'see the volume'}.")


def _nodes(before: TrainingRunStatus, after: TrainingRunStatus) -> Iterable[Event]:
    for node in after.avoided_nodes:
        if node not in before.avoided_nodes:
            message = f"Node {node} has failed twice: gangs of this run are kept away from it from now on."
            yield Event("Warning", "NodeAvoided", message)
    for node in before.avoided_nodes:
        if node not in after.avoided_nodes:
            yield Event("Normal", "NodeUsedAgain", f"Gangs of this run may use node {node} again.")


def _invalid(status: TrainingRunStatus) -> str | None:
    return next((one.message for one in status.conditions if one.type == "Valid" and one.status == "False"), None)
