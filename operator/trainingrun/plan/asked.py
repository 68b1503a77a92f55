"""What a person asks of a run once: to try a stage again, to go back to an earlier checkpoint, or for a profile.

It stands in the annotation `trainingrun.dev/asked`, and is carried out or refused when the status does not yet say that
it was: whoever asks again writes another text, for which the time is there.

    retry STAGE TIME
    restart-from STEP LEFT_OUT TIME      LEFT_OUT: how many steps' data after STEP are left out
    profile STEPS RANK TIME              RANK: a number, or all
"""

from typing import Final

from trainingrun.api.status import Skip
from trainingrun.plan import attempts, bad_loss, profiles, progress, reopening, retained
from trainingrun.plan.draft import Draft
from trainingrun.plan.outcomes import Ended
from trainingrun.stages.instances import Instance

RETRY: Final = "retry"
RESTART: Final = "restart-from"
MAX_ASKED: Final = 256  # characters
MAX_SKIPS: Final = 32  # in the status


def carry_out(draft: Draft) -> str | None:
    """Do what was asked or say why not, as the draft's answer; the name of the stage that was changed by it."""
    asked = draft.context.run.metadata.asked[:MAX_ASKED]
    if not asked or asked == draft.asked:
        return None
    draft.asked = asked
    match asked.split():
        case [verb, name, _] if verb == RETRY:
            touched, draft.answer = _retry(draft, name)
        case [verb, step, left_out, _] if verb == RESTART and step.isdecimal() and left_out.isdecimal():
            touched, draft.answer = _restart(draft, int(step), int(left_out))
        case [verb, *_] if verb == profiles.PROFILE:
            touched, draft.answer = None, profiles.accept(draft, asked)
        case _:
            touched, draft.answer = None, "Nothing was done: what was asked is not understood."
    return touched


def _retry(draft: Draft, name: str) -> tuple[str | None, str]:
    instance = next((one for one in draft.context.instances if one.name == name), None)
    if instance is None:
        return None, f"Nothing was done: the run has no stage {name}."
    stage = draft.stages[name]
    if stage.phase == "Failed":
        reopening.begin_anew(draft, instance)
        message = f"Stage {name} was asked to try again."
        draft.set(name, reason="RetryAsked", message=message)
        return name, f"Stage {name} tries again: attempt {stage.attempt + 1} follows."
    if stage.not_before is not None:
        draft.set(name, not_before=None, waits=0)
        return None, f"Stage {name} waits no longer: attempt {stage.attempt + 1} follows."
    said = {"Succeeded": "is complete", "Running": f"is running, as attempt {stage.attempt}"}
    how = said.get(stage.phase, f"has not failed: {stage.message or stage.phase}")
    return None, f"Nothing was done: stage {name} {how.rstrip('.')}."


def _restart(draft: Draft, step: int, left_out: int) -> tuple[str | None, str]:
    instance = next(one for one in draft.context.instances if one.kind == "pretrain")
    made = _with_skip(draft, instance, step, left_out)
    refusal = _refusal(draft, instance, step, made)
    if refusal is not None:
        return None, f"Nothing was done: {refusal}"
    without = f" without the data of the {left_out} steps that followed it" if left_out else ""
    message = f"It was asked to go on from step {step}{without}."
    if draft.stages[instance.name].phase == "Running":
        progress.last_words(draft, instance)
        _go_back(draft, instance, step, made)
        attempts.end(draft, instance, Ended("WentBack", "WentBack", message, step=step))
    else:
        reopening.begin_anew(draft, instance)
        _go_back(draft, instance, step, made)
        draft.set(instance.name, reason="WentBack", message=message)
    return instance.name, f"Stage {instance.name} goes on from step {step}{without}."


def _with_skip(draft: Draft, instance: Instance, step: int, left_out: int) -> list[Skip]:
    """The stage's skips with one at `step`; that nothing is left out is one too: it sets later checkpoints aside."""
    before = draft.stages[instance.name].skips
    made = bad_loss.skipped(before, step, step + left_out)
    allowed = sum(one.times for one in before if one.step >= step)  # asking uses up none of badLoss.maxSkips
    return [*made[:-1], made[-1].model_copy(update={"times": allowed})]


def _go_back(draft: Draft, instance: Instance, step: int, skips: list[Skip]) -> None:
    stage = draft.stages[instance.name]
    told = None if stage.progress is None else stage.progress.model_copy(update={"checkpoint": step})
    draft.set(instance.name, skips=skips, last_step=None, progress=told, not_before=None)


def _refusal(draft: Draft, instance: Instance, step: int, made: list[Skip]) -> str | None:
    """Why training can't go back to a step, or None."""
    stage = draft.stages[instance.name]
    if stage.phase == "Succeeded":
        return f"stage {instance.name} is complete; start a new run."
    fixed = max(draft.checkpoints, default=None)
    if fixed is not None and step < fixed:
        return (
            f"checkpoint {fixed} is or will be converted and evaluated, and another model would get its name; choose a "
            f"step from {fixed} on, or start a new run."
        )
    there = _complete(draft, instance)
    if step not in there:
        known = ", ".join(str(one) for one in there if fixed is None or one >= fixed) or "none"
        report = progress.newest_report(draft, instance)
        told = report is not None and report.checkpoint is not None  # not before it has looked at the volume
        later = "" if told else ", and all others once it trains and reports"
        return f"no checkpoint of step {step} is known; known are {known}{later}."
    if stage.phase == "Running" and step not in _lasting(draft, there):
        keep_last = draft.context.run.spec.pretrain.checkpoints.keep_last
        return (
            f"checkpoint {step} may be removed before training has stopped, since pretrain.checkpoints.keepLast is "
            f"{keep_last}; raise it first, or suspend the run."
        )
    if made == stage.skips:
        return f"it went back to step {step} before; leave some data out this time, or choose another step."
    if len(made) > MAX_SKIPS:
        return f"it went back {MAX_SKIPS} times before, which is all that a run may."
    return None


def _lasting(draft: Draft, there: list[int]) -> set[int]:
    """Those of the known checkpoints that are kept also when another is written before the gang has heard.

    What it writes when it is stopped removes none.
    """
    answer = retained.retained(draft.context.run.spec.pretrain.checkpoints, list(draft.checkpoints.values()))
    newest = there[-(answer.keep_last - 1) :] if answer.keep_last > 1 else []
    waiting = {one.step for one in draft.checkpoints.values() if not one.converted}
    every = {step for step in there if answer.keep_every is not None and step % answer.keep_every == 0}
    return {*newest, *answer.keep, *waiting, *every}


def _complete(draft: Draft, instance: Instance) -> list[int]:
    """Steps of the checkpoints that are known to be complete, ascending."""
    report, told = progress.newest_report(draft, instance), draft.stages[instance.name].progress
    newest = {told.checkpoint} if told is not None and told.checkpoint is not None else set()
    return sorted({*newest, *(report.checkpoints if report is not None else ())})
