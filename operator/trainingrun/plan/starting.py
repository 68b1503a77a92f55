"""Whether a stage that stands still may start its next attempt."""

from trainingrun.plan import checkpoints, gates, twins
from trainingrun.plan.draft import Draft, timestamp
from trainingrun.plan.gates import Gate
from trainingrun.stages.instances import BATCH_KINDS, Instance, prepared_for


def is_batched(instance: Instance) -> bool:
    """Whether the stage works through checkpoints, a batch an attempt."""
    return instance.kind in BATCH_KINDS and instance.variant is None


def try_start(draft: Draft, instance: Instance, run_gate: Gate | None) -> None:
    """Start the stage's next attempt, or say what it waits for."""
    if _comes_too_late(draft, instance):
        return
    waiting = _needs(draft, instance)
    batch = _batch(draft, instance) if is_batched(instance) else ()
    if waiting is None and is_batched(instance) and not batch:
        if followed_to_the_end(draft, instance):
            _finish(draft, instance)
            return
        waiting = Gate("WaitingForCheckpoints", f"No checkpoint is waiting for {instance.name}.")
    phase = "Pending" if waiting is not None and draft.stages[instance.name].attempt == 0 else "Waiting"
    blocked = waiting or run_gate or gates.stage(draft, instance) or twins.waits(draft, instance)
    if blocked is None:
        if not twins.follows(draft, instance):
            _start(draft, instance, batch)
    elif blocked.reason == "Suspended":
        draft.set(instance.name, phase="Suspended", reason=blocked.reason, message=blocked.message)
    else:
        draft.set(instance.name, phase=phase, reason=blocked.reason, message=blocked.message)


def _comes_too_late(draft: Draft, instance: Instance) -> bool:
    """Whether the stage would prepare data for one that has started without it, under an earlier release; it is ended
    then.
    """
    if instance.kind != "prepare" or draft.stages[instance.name].attempt:
        return False
    gang = prepared_for(instance, draft.context.instances)
    if not draft.stages[gang.name].attempt:
        return False
    message = f"Stage {gang.name} has prepared its data itself."
    draft.set(instance.name, phase="Succeeded", reason="Completed", message=message, finished_at=timestamp(draft.now))
    return True


def followed_to_the_end(draft: Draft, instance: Instance) -> bool:
    """Whether the stage that a batched one follows has ended, so that nothing more comes."""
    return instance.follows is not None and draft.stages[instance.follows].phase == "Succeeded"


def _needs(draft: Draft, instance: Instance) -> Gate | None:
    for name in instance.needs:
        if draft.stages[name].phase != "Succeeded":
            return Gate("WaitingForStage", f"Waiting for stage {name}.")
    return None


def _batch(draft: Draft, instance: Instance) -> tuple[int, ...]:
    return checkpoints.to_convert(draft) if instance.kind == "convert" else checkpoints.to_evaluate(draft)


def _start(draft: Draft, instance: Instance, batch: tuple[int, ...]) -> None:
    stage, place = draft.stages[instance.name], draft.context.places[instance.name]
    draft.begin_attempt(instance.name)
    draft.set(
        instance.name,
        phase="Running",
        attempt=stage.attempt + 1,
        generation=draft.generation,
        inputs=place.inputs,
        folder=place.folder,
        tokens=place.tokens or None,
        batch=list(batch),
        progress=stage.progress if instance.is_gang else None,
        reason="Started",
        message=f"Attempt {stage.attempt + 1} of stage {instance.name} was started.",
        started_at=stage.started_at or timestamp(draft.now),
        not_before=None,
    )


def _finish(draft: Draft, instance: Instance) -> None:
    place = draft.context.places[instance.name]
    steps = len(draft.checkpoints)
    draft.set(
        instance.name,
        phase="Succeeded",
        inputs=place.inputs,
        folder=place.folder,
        reason="Completed",
        message=f"Stage {instance.name} has dealt with every checkpoint that was due ({steps}).",
        finished_at=timestamp(draft.now),
        not_before=None,
    )
