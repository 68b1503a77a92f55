"""The run's log book: what has changed between two statuses, a line each.

Each line is an object in the cluster, so their number is bounded: some for an attempt, ten for a stage's checkpoints.
"""

from collections.abc import Iterable
from typing import Final

from trainingrun.api.progress import Straggler
from trainingrun.api.status import MAX_MESSAGE, GpuHours, StageStatus, TrainingRunStatus
from trainingrun.plan import bad_loss
from trainingrun.plan.actions import Event
from trainingrun.plan.conditions import NEEDS_A_PERSON
from trainingrun.plan.draft import epoch
from trainingrun.plan.times import duration
from trainingrun.plan.upgrades import CAME_LATER

MILESTONES: Final = 10  # lines that the checkpoints of one stage make, whatever their number
MAX_SCORES: Final = 8  # in one line
NOT_RUNNING: Final = NEEDS_A_PERSON | {"Started", "Queued"}  # reasons of an attempt whose pods do not run yet


def events(before: TrainingRunStatus, after: TrainingRunStatus) -> tuple[Event, ...]:
    """The events of a change; none where nothing has changed."""
    old = {stage.name: stage for stage in before.stages}
    lines: list[Event] = []
    for stage in after.stages:
        lines.extend(_stage(old.get(stage.name) or StageStatus(name=stage.name, kind=stage.kind), stage, after))
    lines.extend(_checkpoints(before, after))
    lines.extend(_nodes(before, after))
    lines.extend(_messages(before, after))
    if before.phase != after.phase:
        lines.extend(_run(before, after))
    invalid = _invalid(after)
    if invalid and invalid != _invalid(before):
        lines.append(Event("Warning", "InvalidSpec", invalid))
    return tuple(lines)


def _stage(old: StageStatus, new: StageStatus, after: TrainingRunStatus) -> Iterable[Event]:
    yield from _beginning(old, new, after)
    yield from _milestone(old, new)
    yield from _stragglers(old, new)
    if (new.restarts, new.preemptions) != (old.restarts, old.preemptions) or new.waits > old.waits:
        yield Event("Warning", new.reason or "AttemptEnded", f"Stage {new.name}: {new.message}")
    elif new.skips != old.skips:
        yield Event("Warning", new.reason or bad_loss.SKIPPED, f"Stage {new.name}: {new.message}")
    elif new.phase == "Failed" and old.phase != "Failed":
        yield Event("Warning", new.reason or "StageFailed", f"Stage {new.name} failed: {new.message}")
    elif new.reason != old.reason and new.reason in NEEDS_A_PERSON:
        yield Event("Warning", new.reason or "", f"Stage {new.name}: {new.message}")
    if new.phase == "Succeeded" and old.phase != "Succeeded" and new.reason != CAME_LATER:
        yield Event("Normal", "StageSucceeded", f"Stage {new.name} is complete{_took(new)}.")


def _beginning(old: StageStatus, new: StageStatus, after: TrainingRunStatus) -> Iterable[Event]:
    """An attempt that was decided on, and one whose pods have come to run; of a batch, of which there are many, not."""
    if new.attempt != old.attempt:
        batch = f" for checkpoints {', '.join(str(step) for step in new.batch)}" if new.batch else ""
        yield Event("Normal", "StageStarted", f"Attempt {new.attempt} of stage {new.name} was started{batch}.")
    elif not new.batch and new.reason == "Running" and old.reason in NOT_RUNNING:
        yield Event(
            "Normal", "StageRunning", f"Attempt {new.attempt} of stage {new.name} is running{_from(new, after)}."
        )


def _from(stage: StageStatus, status: TrainingRunStatus) -> str:
    """Where a gang's attempt goes on from, unless from nothing."""
    mine = (one for one in status.attempts if (one.stage, one.number) == (stage.name, stage.attempt))
    step = next((one.from_step for one in mine), None)
    return f", from step {step}" if step else ""


def _stragglers(old: StageStatus, new: StageStatus) -> Iterable[Event]:
    """Ranks that began to hold an attempt up, or do no more; of an attempt that has ended nobody knows."""
    before, after = ({one.rank: one for one in _named(stage)} for stage in (old, new))
    for rank, one in after.items():
        if rank not in before:
            what = f"rank {rank} on node {one.node} takes {one.times:.1f} times as long as the others for its own work"
            advice = "look at that node's clocks, cooling and access to the volume"
            yield Event("Warning", "RankSlow", f"Stage {new.name}: {what}, since step {one.since}: {advice}.")
    if new.attempt != old.attempt or new.phase != "Running":
        return
    for rank, one in before.items():
        if rank not in after:
            what = f"rank {rank} on node {one.node} is as fast as the others again"
            yield Event("Normal", "RankRecovered", f"Stage {new.name}: {what}.")


def _named(stage: StageStatus) -> list[Straggler]:
    return stage.progress.stragglers if stage.progress is not None else []


def _milestone(old: StageStatus, new: StageStatus) -> Iterable[Event]:
    """The first checkpoint in each tenth of the way."""
    progress = new.progress
    if progress is None or not progress.checkpoint or not progress.total:
        return
    before = (old.progress.checkpoint if old.progress is not None else None) or 0
    if MILESTONES * progress.checkpoint // progress.total > MILESTONES * before // progress.total:
        loss = f", loss {progress.loss:.3f}" if progress.loss is not None else ""
        share = f"{100 * progress.checkpoint / progress.total:.0f} %"
        what = f"Stage {new.name} has checkpoint {progress.checkpoint} of {progress.total} ({share}){loss}."
        yield Event("Normal", "CheckpointSaved", what)


def _took(stage: StageStatus) -> str:
    """How long a stage took from its first attempt on, and in how many; "" for one that another has made as well."""
    if stage.started_at is None or stage.finished_at is None:
        return ""
    again = stage.restarts + stage.preemptions
    times = f", with {again} restart{'s' if again > 1 else ''}" if again else ""
    return f" after {duration(max(epoch(stage.finished_at) - epoch(stage.started_at), 0.0))}{times}"


def _run(before: TrainingRunStatus, after: TrainingRunStatus) -> Iterable[Event]:
    if after.phase == "Succeeded":
        yield Event("Normal", "Succeeded", f"The run is complete.{_gpu_hours(after.gpu_hours)}")
    elif after.phase == "Suspended":
        yield Event("Normal", "Suspended", "The run is suspended.")
    elif before.phase == "Suspended":
        yield Event("Normal", "Resumed", "The run goes on.")


def _gpu_hours(hours: GpuHours) -> str:
    lost = sum(hours.lost.values())
    return f" It took {hours.useful:.1f} useful GPU-hours, and {lost:.1f} were lost." if hours.useful or lost else ""


def _checkpoints(before: TrainingRunStatus, after: TrainingRunStatus) -> Iterable[Event]:
    scored = {one.step for one in before.checkpoints if one.scores is not None}
    for checkpoint in after.checkpoints:
        if checkpoint.scores is not None and checkpoint.step not in scored:
            shown = sorted(checkpoint.scores.items())[:MAX_SCORES]
            scores = ", ".join(f"{name} {value:.4g}" for name, value in shown)
            yield Event("Normal", "CheckpointEvaluated", f"Checkpoint {checkpoint.step}: {scores or 'see the volume'}.")


def _nodes(before: TrainingRunStatus, after: TrainingRunStatus) -> Iterable[Event]:
    new = [node for node in after.avoided_nodes if node not in before.avoided_nodes]
    for why in dict.fromkeys(after.avoided_because.get(node, "") for node in new):
        nodes = [node for node in new if after.avoided_because.get(node, "") == why]
        which = f"node {nodes[0]}" if len(nodes) == 1 else f"nodes {', '.join(nodes[:-1])} and {nodes[-1]}"
        message = f"Gangs of this run are kept away from {which} from now on. {why}"
        yield Event("Warning", "NodeAvoided", message.strip()[:MAX_MESSAGE])
    for node in before.avoided_nodes:
        if node not in after.avoided_nodes:
            yield Event("Normal", "NodeUsedAgain", f"Gangs of this run may use node {node} again.")


def _messages(before: TrainingRunStatus, after: TrainingRunStatus) -> Iterable[Event]:
    """A silence, which nothing else tells of, and a message that could not be sent."""
    known = {(one.event, one.stage, one.at): one for one in before.notifications}
    for one in after.notifications:
        old = known.get((one.event, one.stage, one.at))
        if old is None and one.event == "Silent":
            yield Event("Warning", "Silent", one.text or "")
        if one.error is not None and (old is None or old.error is None):
            yield Event("Warning", "NotificationFailed", f"The message that tells of {one.event}: {one.error}")


def _invalid(status: TrainingRunStatus) -> str | None:
    return next((one.message for one in status.conditions if one.type == "Valid" and one.status == "False"), None)
