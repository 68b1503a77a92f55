"""What becomes of a stage whose attempt is under way."""

from collections.abc import Mapping
from typing import Any

from trainingrun.plan import attempts, checkpoints, progress, starting, troubles
from trainingrun.plan.draft import Draft, timestamp
from trainingrun.plan.outcomes import Ended, Undecided, judge
from trainingrun.stages.builders import objects
from trainingrun.stages.instances import Instance


def follow(draft: Draft, instance: Instance) -> None:
    """Judge the attempt: it goes on with its progress told, or it has ended and the stage moves on."""
    if draft.context.run.spec.suspend and not _just_completed(draft, instance):
        progress.last_words(draft, instance)
        message = "The run is suspended: spec.suspend is true."
        attempts.end(draft, instance, Ended("Suspended", "Suspended", message))
        return
    judged = judge(draft.work(instance.name), draft.pods(instance.name), draft.now)
    if isinstance(judged, Ended):
        progress.last_words(draft, instance)
        if judged.cause == "Completed":
            _completed(draft, instance, judged)
        else:
            attempts.end(draft, instance, judged)
        return
    if isinstance(judged, Undecided):
        draft.wake_in([judged.look_again])
    progress.take_reports(draft, instance)
    _tell(draft, instance)


def _just_completed(draft: Draft, instance: Instance) -> bool:
    work = draft.work(instance.name)
    return work is not None and work.end == "Complete"


def _tell(draft: Draft, instance: Instance) -> None:
    trouble = troubles.trouble(draft, instance)
    stage = draft.stages[instance.name]
    if trouble is not None:
        if _may_be_replaced(draft, instance):
            attempts.end(
                draft, instance, Ended("Replaced", "Replaced", f"{trouble.message} The run has changed since.")
            )
        else:
            draft.set(instance.name, reason=trouble.reason, message=trouble.message)
        return
    running = any(pod.phase == "Running" for pod in draft.pods(instance.name))
    reason = "Running" if running else "Started"
    if stage.reason != reason:
        words = "is running" if running else "was started"
        draft.set(instance.name, reason=reason, message=f"Attempt {stage.attempt} of stage {instance.name} {words}.")


def _may_be_replaced(draft: Draft, instance: Instance) -> bool:
    """Whether a stuck attempt, none of whose pods ever ran, would be rendered otherwise today."""
    work, stage = draft.work(instance.name), draft.stages[instance.name]
    if work is None or any(pod.started for pod in draft.pods(instance.name)):
        return False
    rendered = objects(draft.context, instance, stage.attempt, tuple(stage.batch))[-1]
    return work.rendered not in rendered["metadata"]["annotations"].values()


def _completed(draft: Draft, instance: Instance, ended: Ended) -> None:
    stage = draft.stages[instance.name]
    draft.end_attempt(instance.name, cause="Completed", exit_code=0, message=ended.message, step=ended.step)
    if starting.is_batched(instance):
        if instance.kind == "convert":
            checkpoints.converted(draft, stage.batch)
        else:
            checkpoints.evaluated(draft, stage.batch, ended.outputs)
        draft.set(instance.name, phase="Waiting", stalled=0, reason="BatchCompleted", message=ended.message)
        return
    output = ended.outputs[-1] if ended.outputs else {}
    if instance.kind == "pretrain":
        total = draft.context.translated.pretrain.total_steps
        checkpoints.note_complete(draft, (*(output.get("checkpoints") or ()), total))
    draft.set(
        instance.name,
        phase="Succeeded",
        reason="Completed",
        message=f"Stage {instance.name} is complete.",
        finished_at=timestamp(draft.now),
        output=told(output),
        stalled=0,
    )


def told(output: Mapping[str, Any]) -> dict[str, str]:
    """The figures of an output that fit into the status: plain values as texts, the first thirty."""
    plain = {key: value for key, value in sorted(output.items()) if isinstance(value, bool | int | float | str)}
    return {key: _text(value) for key, value in list(plain.items())[:30]}


def _text(value: bool | int | float | str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else str(value)[:200]
