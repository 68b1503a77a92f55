"""What follows a loss that is no number or has risen too far: an earlier checkpoint, and later data after it."""

from collections.abc import Sequence
from typing import Final

from trainingrun.api.status import Skip, StageStatus
from trainingrun.plan.draft import Draft
from trainingrun.plan.outcomes import Ended
from trainingrun.plan.progress import newest_report
from trainingrun.stages.instances import Instance

SKIPPED: Final = "DataSkipped"


def skip(draft: Draft, instance: Instance, ended: Ended) -> str | None:
    """Let the stage go on from an earlier checkpoint without the data that led to a bad loss.

    Yields None, or a sentence that says why it does not.
    """
    policy, stage = draft.context.run.spec.pretrain.bad_loss, draft.stages[instance.name]
    if instance.kind != "pretrain" or policy.policy == "stop":
        return ended.message
    if ended.step is None:
        return f"{ended.message} The worker did not say at which step, so that no data can be left out."
    times = sum(one.times for one in stage.skips)
    if times >= policy.max_skips:
        return (
            f"{ended.message} Data were left out {times} times already, and pretrain.badLoss.maxSkips is "
            f"{policy.max_skips}: lower the learning rate, or raise maxSkips to go on."
        )
    start = _start(draft, instance, ended)
    made = skipped(stage.skips, start, ended.step)
    left_out = made[-1]
    message = (
        f"{ended.message} Training goes on from step {start}, without the data of the {left_out.steps} steps that "
        f"followed it (that is {times + 1} of at most {policy.max_skips}: pretrain.badLoss.maxSkips)."
    )
    draft.set(
        instance.name,
        phase="Waiting",
        reason=SKIPPED,
        message=message,
        skips=made,
        not_before=None,
        last_step=None if stage.last_step is None else min(stage.last_step, start),
        progress=None if stage.progress is None else stage.progress.model_copy(update={"checkpoint": start}),
    )
    return None


def skipped(skips: Sequence[Skip], start: int, bad: int) -> list[Skip]:
    """The skips after a bad loss at step `bad` that training goes back to step `start` for, ascending by step.

    Steps after `start` read on after the data of step `bad`. A skip that lies at `start` or after it becomes part of
    the new one: its data stay left out.
    """
    merged = [one for one in skips if one.step >= start]
    new = Skip(
        step=start,
        steps=bad - start + sum(one.steps for one in merged),
        times=1 + sum(one.times for one in merged),
    )
    return [*(one for one in skips if one.step < start), new]


def _start(draft: Draft, instance: Instance, ended: Ended) -> int:
    """The step to go on from: of the newest checkpoint before the bad loss, or of the one before that.

    The one before it where the last skip began at the newest, which is then no good either: the weights in it may be
    what is bad. Never further back than a checkpoint that is or will be converted and evaluated, since another model
    would get its name, nor to the untrained model; where there is none, more data are left out instead.
    """
    stage, bad = draft.stages[instance.name], ended.step or 0
    there = {step for step in _complete(draft, instance, ended) if step < bad}
    known = {0, *there, *_last(stage), *draft.checkpoints}
    newest = max(step for step in known if step < bad or step == 0)
    if not stage.skips or stage.skips[-1].step != newest:
        return newest
    fixed = max((step for step in draft.checkpoints if step <= newest), default=1)
    return max((step for step in there if max(fixed, 1) <= step < newest), default=newest)


def _complete(draft: Draft, instance: Instance, ended: Ended) -> set[int]:
    """The steps of all checkpoints that the attempt said are there."""
    report = newest_report(draft, instance)
    said = {step for output in ended.outputs for step in output.get("checkpoints") or ()}
    return said | set(report.checkpoints if report is not None else ())


def _last(stage: StageStatus) -> tuple[int, ...]:
    """The newest checkpoint as the status knows it."""
    checkpoint = stage.progress.checkpoint if stage.progress is not None else None
    return () if checkpoint is None else (checkpoint,)
