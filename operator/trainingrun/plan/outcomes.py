"""How attempts end: what their pods tell, judged by the table of causes."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from trainingrun.plan import blame
from trainingrun.plan.causes import CAUSES, Cause
from trainingrun.plan.observed import PodView, WorkView
from trainingrun.plan.waits import left

SETTLE_SECONDS: Final = 5.0  # how long peers may take to say a weightier cause than the first pod's
LAST_WORDS_SECONDS: Final = 15.0  # how long the pods of an ended Job may take to be seen as ended


@dataclass(frozen=True)
class Ended:
    """An attempt that is over."""

    cause: str  # Completed, or a name of BUDGETS
    reason: str  # one word: the worker's own reason where it gave one
    message: str
    exit_code: int | None = None
    pod: str | None = None
    step: int | None = None
    outputs: tuple[dict[str, Any], ...] = field(default=())  # each pod's of a completed attempt, the latest last
    node: str | None = None  # the node of `pod`, or the first of `blamed`
    blamed: tuple[str, ...] = ()  # nodes whose fault it was


@dataclass(frozen=True)
class Undecided:
    """An attempt that may be over; another look is due."""

    look_again: float  # seconds


def judge(work: WorkView | None, pods: Sequence[PodView], now: float) -> Ended | Undecided | None:
    """How an attempt ended, or None while it goes on; `pods` are the attempt's own."""
    if work is not None and work.replaces_pods:
        pods = _newest_of_each_index(pods)
    if work is not None and work.end == "Complete":
        return _completed(work, pods, now)
    causes, pods = _looked_for(work, pods)
    found = next(((cause, pod) for cause in causes for pod in pods if cause.seen(pod)), None)
    if found is not None:
        cause, pod = found
        if cause.weak and _peers_may_speak(pods, now):
            return Undecided(1.0)
        return _taken_back(work, _ended(cause, pod)) if cause.budget == "preemption" else _ended(cause, pod)
    if work is not None and work.end == "Failed":
        if left(work.ended_at or 0.0, LAST_WORDS_SECONDS, now):
            return Undecided(1.0)
        return Ended(
            "JobFailed", "JobFailed", f"{work.kind} {work.name} failed: {work.end_message or 'no reason given'}"
        )
    return None


def _looked_for(work: WorkView | None, pods: Sequence[PodView]) -> tuple[Sequence[Cause], Sequence[PodView]]:
    """The causes that may have ended the attempt, and the pods to look for them in.

    All, unless its Job replaces its pods: while it goes on, only what it does not mend ends it, but for a queue that
    takes back its admission, which means the whole Job. It never fails by preemptions, so that pods that were preempted
    are not why it has failed.
    """
    if work is None or not work.replaces_pods or work.suspended:
        return CAUSES, pods
    if work.end == "Failed":
        return CAUSES, [pod for pod in pods if not _was_preempted(pod)]
    return [cause for cause in CAUSES if not cause.mended], pods


def _was_preempted(pod: PodView) -> bool:
    return next((cause.budget == "preemption" for cause in CAUSES if cause.seen(pod)), False)


def _newest_of_each_index(pods: Sequence[PodView]) -> list[PodView]:
    """The pods that none has replaced; what becomes of the node of one that has ended does not matter any more."""
    newest = {pod.index: pod for pod in sorted(pods, key=lambda one: (one.created_at, not _is_over(one), one.name))}
    return [replace(pod, node_ready=pod.node_ready or _is_over(pod)) for pod in newest.values()]


def _is_over(pod: PodView) -> bool:
    return pod.phase in ("Succeeded", "Failed")


def _taken_back(work: WorkView | None, ended: Ended) -> Ended:
    """The end of pods that were told to stop, by the queue where that is who did it."""
    if work is None or not work.suspended:
        return ended
    message = f"{work.kind} {work.name} was suspended, so that its pods had to stop; the next attempt queues again."
    return replace(ended, cause="Dequeued", reason="Dequeued", message=message)


def _completed(work: WorkView, pods: Sequence[PodView], now: float) -> Ended | Undecided:
    silent = not pods or any(pod.exit_code is None for pod in pods if pod.index == 0)
    if silent and left(work.ended_at or 0.0, LAST_WORDS_SECONDS, now):
        return Undecided(1.0)
    ended = sorted((pod for pod in pods if pod.result is not None), key=lambda pod: pod.ended_at or 0.0)
    results = [pod.result for pod in ended if pod.result is not None]
    step = max((result.step for result in results if result.step is not None), default=None)
    outputs = tuple(result.output for result in results if result.output)
    return Ended("Completed", "Completed", f"{work.kind} {work.name} completed.", 0, None, step, outputs)


def _peers_may_speak(pods: Sequence[PodView], now: float) -> bool:
    running = any(pod.exit_code is None and pod.phase in ("Pending", "Running") for pod in pods)
    first_end = min((pod.ended_at for pod in pods if pod.ended_at is not None), default=0.0)
    return running and left(first_end, SETTLE_SECONDS, now) > 0.0


def _ended(cause: Cause, pod: PodView) -> Ended:
    result = pod.result if not cause.knows_better else None
    step = pod.result.step if pod.result is not None else None
    default = cause.sentence.format(pod=pod.name, code=pod.exit_code, node=pod.node or "its node")
    if pod.status_message and result is None:
        default = f"{default} {pod.status_message}"
    blamed = blame.nodes(result, pod.node, cause.blames_only_named) if cause.blames_node else ()
    return Ended(
        cause=cause.name,
        reason=result.reason if result is not None and cause.budget != "preemption" else cause.name,
        message=result.message if result is not None and result.message else default,
        exit_code=pod.exit_code,
        pod=pod.name,
        step=step,
        outputs=(result.output,) if result is not None and result.output else (),
        node=next(iter(blamed), pod.node) or None,
        blamed=blamed,
    )
