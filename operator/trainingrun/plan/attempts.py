"""What follows when an attempt ends: budgets, back-off, crash loops."""

from typing import Final

from trainingrun.api.base import seconds
from trainingrun.api.training import Recovery
from trainingrun.plan.draft import Draft, timestamp
from trainingrun.plan.outcomes import BUDGETS, Ended
from trainingrun.stages.instances import Instance

CRASH_LOOP: Final = 5  # failures in a row without progress between them
LONGEST_BACKOFF: Final = 300.0  # seconds


def recovery(draft: Draft, instance: Instance) -> Recovery:
    """The recovery policy of a stage: a variant's own, else that of pretraining."""
    spec = draft.context.run.spec
    for variant in spec.variants:
        sft = variant.stages[0].sft
        if variant.name == instance.variant and sft is not None:
            return sft.recovery
    return spec.pretrain.recovery


def end(draft: Draft, instance: Instance, ended: Ended) -> None:
    """Record a failed or stopped attempt, and decide whether and when another follows."""
    stage = draft.stages[instance.name]
    step = ended.step if ended.step is not None else (stage.progress.checkpoint if stage.progress else None)
    if step is None and stage.progress is not None and not instance.is_gang:
        step = stage.progress.step
    draft.end_attempt(
        instance.name, cause=ended.cause, exit_code=ended.exit_code, pod=ended.pod, message=ended.message, step=step
    )
    _FOLLOWS[BUDGETS[ended.cause]](draft, instance, ended, step)


def _fail(draft: Draft, instance: Instance, ended: Ended, _: int | None) -> None:
    fail(draft, instance, ended.reason, ended.message)


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
        preemptions=stage.preemptions + (0 if ended.cause in ("Suspended", "Replaced") else 1),
        not_before=None,
    )


def _infrastructure(draft: Draft, instance: Instance, ended: Ended, step: int | None) -> None:
    stage, policy = draft.stages[instance.name], recovery(draft, instance)
    moved = step is not None and step > (stage.last_step if stage.last_step is not None else 0)
    stalled = 1 if moved else stage.stalled + 1
    restarts = stage.restarts + 1
    draft.set(instance.name, restarts=restarts, stalled=stalled, last_step=step if moved else stage.last_step)
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


RETRY_HINT: Final = "Mend the cause, then set spec.suspend to true and back to false to go on from the last checkpoint."

_FOLLOWS: Final = {"fail": _fail, "preemption": _preempted, "infrastructure": _infrastructure}
