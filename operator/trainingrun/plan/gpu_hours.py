"""GPU-hours of attempts that have ended: what is safe on the volume, and what was lost, by cause."""

from typing import Final

from trainingrun.api.status import Attempt, GpuHours, StageStatus
from trainingrun.plan.draft import Draft, epoch
from trainingrun.stages.builders import BUILDERS
from trainingrun.stages.context import Need
from trainingrun.stages.instances import Instance

HOUR: Final = 3600.0  # seconds
DIGITS: Final = 4  # of hours: a third of a second of one GPU


def count(draft: Draft, instance: Instance, cause: str, safe: int | None) -> None:
    """Add an attempt that ends now with `cause` to the run's GPU-hours; attempts without GPUs count nothing.

    Its GPU-hours are its pods that have a node, times the GPUs of a pod, times the hours from the creation of the
    first of them to now. Where no pod can be seen any more they are those of the whole gang from the attempt's start,
    if the attempt ever reported, and none if it never did.

    Of a gang, useful are the steps from the newest safe one at its start to `safe`, the newest safe one at its end,
    each as long as a step takes by the last reported speed; where no speed is known, as the hours divided by the
    steps that were done. Starting, saving and steps that must be done again are thereby lost. Where training goes
    back beyond where the attempt started (a skip of bad data), the hours of the steps between become lost too. Of any
    other stage, the hours of a completed attempt are useful and all others are lost.
    """
    need = BUILDERS[instance.kind](draft.context, instance, tuple(draft.stages[instance.name].batch))
    attempt = _open(draft, instance)
    if not need.gpus or attempt is None:
        return
    seconds, gpus = _held(draft, instance, attempt, need)
    known = draft.gpu_hours
    useful = min(_useful_seconds(draft, instance, attempt, cause, safe, seconds), seconds) * gpus / HOUR
    useful = max(useful, -known.useful)
    lost = known.lost.get(cause, 0.0) + seconds * gpus / HOUR - useful
    draft.gpu_hours = GpuHours(
        useful=round(known.useful + useful, DIGITS),
        lost={**known.lost, cause: round(lost, DIGITS)} if round(lost, DIGITS) else known.lost,
    )


def _open(draft: Draft, instance: Instance) -> Attempt | None:
    number = draft.stages[instance.name].attempt
    mine = (one for one in draft.attempts if (one.stage, one.number) == (instance.name, number))
    return next((one for one in mine if one.ended_at is None), None)


def _held(draft: Draft, instance: Instance, attempt: Attempt, need: Need) -> tuple[float, int]:
    """How many seconds how many GPUs were held."""
    pods, stage = draft.pods(instance.name), draft.stages[instance.name]
    placed = [pod.created_at for pod in pods if pod.node]
    started = epoch(attempt.started_at)
    if placed:
        gone = max(need.pods - len(pods), 0)  # those held GPUs too, as long as they were there
        return max(draft.now - max(min(placed), started), 0.0), (len(placed) + gone) * need.gpus
    reported = epoch(stage.progress.reported_at) if stage.progress is not None else 0.0
    if pods or reported < started:
        return 0.0, 0
    return max(draft.now - started, 0.0), need.pods * need.gpus


def _useful_seconds(
    draft: Draft, instance: Instance, attempt: Attempt, cause: str, safe: int | None, seconds: float
) -> float:
    if not instance.is_gang:
        return seconds if cause == "Completed" else 0.0
    stage, before = draft.stages[instance.name], attempt.from_step or 0
    after = safe if safe is not None else before
    reached = stage.progress.step if stage.progress is not None else after
    done = max(reached, after, before + 1) - before
    return (after - before) * (_step_seconds(draft, stage) or seconds / done)


def _step_seconds(draft: Draft, stage: StageStatus) -> float | None:
    """How long a step takes by the last reported speed."""
    speed = stage.progress.tokens_per_second if stage.progress is not None else None
    if stage.kind != "pretrain" or not speed:
        return None
    return draft.context.translated.pretrain.tokens_per_step / speed
