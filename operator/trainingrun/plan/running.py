"""What becomes of a stage whose attempt is under way."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from trainingrun.plan import (
    attempts,
    checkpoints,
    custom_engine,
    gates,
    gpu_hours,
    placement,
    progress,
    starting,
    troubles,
)
from trainingrun.plan.draft import Draft, timestamp
from trainingrun.plan.gates import Gate
from trainingrun.plan.outcomes import Ended, Undecided, judge
from trainingrun.stages.builders import objects
from trainingrun.stages.instances import Instance

MAX_FIGURES: Final = 30  # of an output that are told in the status
MAX_OF_SOURCES: Final = 200
# Stages whose number of pods may change while they run; of pretrain only the torch engine's gets here.
_RESIZED: Final = {
    "tokenize": "tokenize.parallelism was changed: {wanted} pods instead of {had} go on with what is not done.",
    "pretrain": "pretrain.nodes was changed: {wanted} nodes instead of {had} go on with the same global batch.",
}


def follow(draft: Draft, instance: Instance, gate: Gate | None) -> None:
    """Judge the attempt: it goes on with its progress told, or it has ended and the stage moves on.

    `gate` is what would keep another attempt from starting.
    """
    if draft.context.run.spec.suspend and not _just_completed(draft, instance):
        progress.last_words(draft, instance)
        message = "The run is suspended: spec.suspend is true."
        attempts.end(draft, instance, Ended("Suspended", "Suspended", message))
        return
    judged = judge(draft.work(instance.name), draft.pods(instance.name), draft.now)
    if isinstance(judged, Ended):
        progress.last_words(draft, instance)
        broken = custom_engine.unfinished(draft, instance, _last(judged.outputs))
        if judged.cause == "Completed" and broken is not None:
            attempts.end(draft, instance, broken)
        elif judged.cause == "Completed":
            _completed(draft, instance, judged)
        else:
            attempts.end(draft, instance, judged)
        return
    if isinstance(judged, Undecided):
        draft.wake_in([judged.look_again])
    elif (called_off := placement.given_up(draft, instance) or _outnumbered(draft, instance, gate)) is not None:
        progress.last_words(draft, instance)
        attempts.end(draft, instance, called_off)
        return
    progress.take_reports(draft, instance)
    silent = None if isinstance(judged, Undecided) else custom_engine.hung(draft, instance)
    if silent is not None:
        progress.last_words(draft, instance)
        attempts.end(draft, instance, silent)
        return
    _tell(draft, instance)


def _just_completed(draft: Draft, instance: Instance) -> bool:
    work = draft.work(instance.name)
    return work is not None and work.end == "Complete"


def _outnumbered(draft: Draft, instance: Instance, gate: Gate | None) -> Ended | None:
    """The end of an attempt that has another number of pods than the run asks for by now, where it may have.

    What it has done lies on the volume, and the next attempt goes on from there. Only after a change to the run:
    what else may cut the number of pods would do so again.
    """
    work, wanted = draft.work(instance.name), gates.pods(draft, instance)
    changed = draft.stages[instance.name].generation != draft.generation
    said = _RESIZED.get(instance.kind)
    if said is None or gate is not None or not changed or work is None or work.pods == wanted:
        return None
    return Ended("Replaced", "Replaced", said.format(wanted=wanted, had=work.pods))


def _tell(draft: Draft, instance: Instance) -> None:
    trouble = troubles.trouble(draft, instance)
    if trouble is not None:
        if _may_be_replaced(draft, instance):
            attempts.end(
                draft, instance, Ended("Replaced", "Replaced", f"{trouble.message} The run has changed since.")
            )
        else:
            draft.set(instance.name, reason=trouble.reason, message=trouble.message)
        return
    reason, message = _state(draft, instance)
    draft.set(instance.name, reason=reason, message=message)


def _state(draft: Draft, instance: Instance) -> tuple[str, str]:
    """Reason and message of an attempt without trouble."""
    attempt = f"Attempt {draft.stages[instance.name].attempt} of stage {instance.name}"
    work = draft.work(instance.name)
    if work is not None and work.given_up:
        return "PodGivenUp", (
            f"{attempt} has given up its pod of index {work.given_up}, which failed again and again: the others go on "
            "with what is theirs, and the next attempt does the rest."
        )
    if any(pod.phase == "Running" for pod in draft.pods(instance.name)):
        return "Running", f"{attempt} is running."
    return "Started", f"{attempt} was started."


def _may_be_replaced(draft: Draft, instance: Instance) -> bool:
    """Whether a stuck attempt, none of whose pods ever ran, would be rendered otherwise today."""
    work, stage = draft.work(instance.name), draft.stages[instance.name]
    if work is None or any(pod.started for pod in draft.pods(instance.name)):
        return False
    rendered = objects(draft.context, instance, stage.attempt, tuple(stage.batch))[-1]
    return work.rendered not in rendered["metadata"]["annotations"].values()


def _completed(draft: Draft, instance: Instance, ended: Ended) -> None:
    stage = draft.stages[instance.name]
    gpu_hours.count(draft, instance, "Completed", ended.step)
    draft.end_attempt(instance.name, cause="Completed", exit_code=0, message=ended.message, step=ended.step)
    if starting.is_batched(instance):
        if instance.kind == "convert":
            checkpoints.converted(draft, stage.batch)
        else:
            checkpoints.evaluated(draft, stage.batch, ended.outputs)
        draft.set(instance.name, phase="Waiting", stalled=0, reason="BatchCompleted", message=ended.message)
        return
    output = _last(ended.outputs)
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


def _last(outputs: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The output of the pod that ended last, which has seen the others' work.

    Of a tokenize stage that is the one with the most tokens: several pods may end in the same second.
    """
    return max(reversed(outputs), key=_tokens, default={})


def _tokens(output: Mapping[str, Any]) -> int:
    tokens = output.get("tokens")
    return tokens if isinstance(tokens, int) else 0


def told(output: Mapping[str, Any]) -> dict[str, str]:
    """The figures of an output that fit into the status: plain values as texts, the first thirty.

    Then those of each source of a tokenize stage, as SOURCE.documents, without what is nought.
    """
    plain = {key: value for key, value in sorted(output.items()) if isinstance(value, bool | int | float | str)}
    sources = [one for one in output.get("sources") or () if isinstance(one, Mapping)]
    of_each = {
        f"{one.get('name')}.{key}": value
        for one in sources
        for key, value in sorted(one.items())
        if isinstance(value, int | float) and value
    }
    shown = [*list(plain.items())[:MAX_FIGURES], *list(of_each.items())[:MAX_OF_SOURCES]]
    return {key: _text(value) for key, value in shown}


def _text(value: bool | int | float | str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else str(value)[:200]
