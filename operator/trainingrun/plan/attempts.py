"""What follows when an attempt ends: budgets, back-off, crash loops."""

from typing import Final

from trainingrun.api.base import seconds
from trainingrun.api.status import StageStatus
from trainingrun.api.training import Recovery
from trainingrun.plan import avoidance, bad_loss, gpu_hours
from trainingrun.plan.causes import BLAMED_AT_ONCE, BUDGETS
from trainingrun.plan.draft import Draft, timestamp
from trainingrun.plan.outcomes import Ended
from trainingrun.plan.waits import LONGEST_BACKOFF
from trainingrun.stages.instances import Instance

CRASH_LOOP: Final = 5  # failures in a row without progress between them
FIRST_WAIT: Final = 30.0  # seconds until it is seen whether there is room by now


def recovery(draft: Draft, instance: Instance) -> Recovery:
    """The recovery policy of a stage: that of the variant's stage which it is, prepares, or comes after the last of,
    else that of pretraining.
    """
    spec = draft.context.run.spec
    for variant in spec.variants:
        if variant.name == instance.variant:
            return variant.stages[-1 if instance.position is None else instance.position].tuning.recovery
    return spec.pretrain.recovery


def end(draft: Draft, instance: Instance, ended: Ended) -> None:
    """Record a failed or stopped attempt, and decide whether and when another follows."""
    step = _safe_step(draft, instance, ended)
    for node in ended.blamed:
        avoidance.blame(draft, instance.name, node, ended.message, at_once=ended.cause in BLAMED_AT_ONCE)
    _FOLLOWS[BUDGETS[ended.cause]](draft, instance, ended, step)
    gpu_hours.count(draft, instance, ended.cause, _safe_step(draft, instance, ended))
    draft.end_attempt(
        instance.name,
        cause=ended.cause,
        exit_code=ended.exit_code,
        pod=ended.pod,
        node=ended.node,
        nodes=[*ended.blamed] if len(ended.blamed) > 1 else [],
        message=ended.message,
        step=step,
    )


def _safe_step(draft: Draft, instance: Instance, ended: Ended) -> int | None:
    """The newest step that is safe on the volume; of a bad loss the worker tells the step of the loss instead."""
    if ended.step is not None and ended.cause != "BadLoss":
        return ended.step
    progress = draft.stages[instance.name].progress
    if progress is None or progress.checkpoint is not None:
        return progress.checkpoint if progress is not None else None
    return None if instance.is_gang else progress.step


def _fail(draft: Draft, instance: Instance, ended: Ended, _: int | None) -> None:
    fail(draft, instance, ended.reason, ended.message)


def _bad_loss(draft: Draft, instance: Instance, ended: Ended, _: int | None) -> None:
    refusal = bad_loss.skip(draft, instance, ended)
    if refusal is not None:
        fail(draft, instance, ended.reason, refusal)


def fail(draft: Draft, instance: Instance, reason: str, message: str) -> None:
    """End a stage for good; a changed spec is what starts it again."""
    finished = timestamp(draft.now)
    draft.set(instance.name, phase="Failed", reason=reason, message=message, finished_at=finished, not_before=None)


def _preempted(draft: Draft, instance: Instance, ended: Ended, _: int | None) -> None:
    stage = draft.stages[instance.name]
    suspended = ended.cause == "Suspended"
    draft.set(
        instance.name,
        phase="Suspended" if suspended else "Waiting",
        reason=ended.cause,
        message=ended.message,
        preemptions=stage.preemptions + (0 if ended.cause in ("Suspended", "Replaced", "WentBack") else 1),
        not_before=None,
        waits=0,
    )


def _infrastructure(draft: Draft, instance: Instance, ended: Ended, step: int | None) -> None:
    stage, policy = draft.stages[instance.name], recovery(draft, instance)
    moved = _has_moved(stage, step)
    stalled = 1 if moved else stage.stalled + 1
    restarts = stage.restarts + 1
    last_step = step if moved else stage.last_step
    draft.set(instance.name, restarts=restarts, stalled=stalled, last_step=last_step, waits=0)
    if restarts > policy.max_restarts:
        message = (
            f"{ended.message} That was failure {restarts} of at most {policy.max_restarts} (recovery.maxRestarts)."
        )
        fail(draft, instance, "RestartBudgetExhausted", f"{message} {RETRY_HINT}")
        return
    if stalled >= CRASH_LOOP:
        message = f"{ended.message} {stalled} attempts in a row ended without progress."
        fail(draft, instance, "CrashLoop", f"{message} {RETRY_HINT}")
        return
    wait = min(seconds(policy.backoff) * 2.0 ** (stalled - 1), LONGEST_BACKOFF)
    until = timestamp(draft.now + wait)
    draft.set(instance.name, phase="Waiting", reason=ended.reason, message=ended.message, not_before=until)


def _has_moved(stage: StageStatus, step: int | None) -> bool:
    """Whether more is safe than at the last failure."""
    return step is not None and step > (stage.last_step or 0)


def _room(draft: Draft, instance: Instance, ended: Ended, step: int | None) -> None:
    """Wait for room on the volume; progress since the last time starts the back-off anew."""
    moved = _has_moved(draft.stages[instance.name], step)
    if moved:
        draft.set(instance.name, last_step=step, stalled=0)
    _wait(draft, instance, ended, anew=moved)


def _placement(draft: Draft, instance: Instance, ended: Ended, _: int | None) -> None:
    """Wait for nodes; at once again where those that were avoided may be what is missing."""
    if avoidance.forget_if_in_the_way(draft, ended.message):
        message = f"{ended.message} Nodes that were avoided are used again."
        draft.set(instance.name, phase="Waiting", reason=ended.reason, message=message, not_before=None, waits=0)
        return
    _wait(draft, instance, ended, anew=False)


def _wait(draft: Draft, instance: Instance, ended: Ended, anew: bool) -> None:
    stage = draft.stages[instance.name]
    before = next((one for one in draft.attempts if (one.stage, one.number) == (stage.name, stage.attempt - 1)), None)
    anew = anew or before is not None and before.cause != ended.cause
    waits = 1 if anew else stage.waits + 1
    pause = min(FIRST_WAIT * 2.0 ** min(waits - 1, 10), LONGEST_BACKOFF)
    message = f"{ended.message} It is tried again in {pause:.0f} s, as often as it takes."
    until = timestamp(draft.now + pause)
    draft.set(instance.name, phase="Waiting", reason=ended.reason, message=message, not_before=until, waits=waits)


RETRY_HINT: Final = "Mend the cause, then `trainingrun retry RUN STAGE` goes on from the last checkpoint."

_FOLLOWS: Final = {
    "fail": _fail,
    "preemption": _preempted,
    "infrastructure": _infrastructure,
    "loss": _bad_loss,
    "room": _room,
    "placement": _placement,
}
