"""How attempts end: one table of causes, in the order in which they are looked for, and what follows from each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from trainingrun.plan.observed import PodView, WorkView
from trainingrun_workers.contract import ExitCode

Budget = Literal["fail", "infrastructure", "preemption"]

SETTLE_SECONDS: Final = 5.0  # how long peers may take to say a weightier cause than the first pod's
LAST_WORDS_SECONDS: Final = 15.0  # how long the pods of an ended Job may take to be seen as ended


@dataclass(frozen=True)
class Cause:
    """One way in which an attempt ends."""

    name: str
    seen: Callable[[PodView], bool]
    budget: Budget  # fail: never retried; infrastructure: counted; preemption: neither counted nor delayed
    meaning: str  # for the documentation
    sentence: str  # for the status, with {pod}, {code} and {node}
    weak: bool = False  # often only the consequence of what happened to a peer, whose own word is waited for


def _exited(pod: PodView, *codes: int) -> bool:
    return pod.exit_code in codes


def _evicted(pod: PodView) -> bool:
    return bool(pod.disrupted) or pod.status_reason in ("Evicted", "Preempting", "Terminated", "NodeShutdown")


# First match over all pods of the attempt wins: what only the user can mend, then what names its culprit, then the
# rest. Printed in docs/architecture.md.
CAUSES: Final[tuple[Cause, ...]] = (
    Cause("BadData", lambda pod: _exited(pod, ExitCode.BAD_DATA), "fail",
          "exit code 65: the input data are at fault", "The data are at fault in pod {pod}: see its log."),
    Cause("BadConfig", lambda pod: _exited(pod, ExitCode.BAD_CONFIG), "fail",
          "exit code 78: the configuration is at fault", "The configuration is at fault in pod {pod}: see its log."),
    Cause("OutOfMemory", lambda pod: pod.ended_reason == "OOMKilled", "infrastructure",
          "the kernel killed the container for memory (OOMKilled)",
          "Pod {pod} was killed for memory: raise the memory limit of the stage's resources, or use smaller batches."),
    Cause("NodeLost", lambda pod: bool(pod.node) and not pod.node_ready and pod.phase != "Succeeded",
          "infrastructure", "the pod's node is NotReady or gone", "Node {node} of pod {pod} is not ready."),
    Cause("Evicted", _evicted, "preemption",
          "preemption by the scheduler, eviction, drain or shutdown of the node", "Pod {pod} was evicted from {node}."),
    Cause("Preempted", lambda pod: _exited(pod, ExitCode.PREEMPTED), "preemption",
          "exit code 143: told to stop, and saved", "Pod {pod} was told to stop."),
    Cause("PodDeleted", lambda pod: pod.deleting and pod.exit_code in (None, 137), "preemption",
          "somebody deleted the pod, and it did not end by itself", "Pod {pod} was deleted."),
    Cause("Killed", lambda pod: _exited(pod, 137), "infrastructure",
          "exit code 137: killed by a signal, not for memory", "Pod {pod} was killed (exit code 137)."),
    Cause("VolumeFull", lambda pod: pod.result is not None and pod.result.reason == "VolumeFull", "infrastructure",
          "exit code 75 with reason VolumeFull", "The volume is full: make room on it."),
    Cause("Retry", lambda pod: _exited(pod, ExitCode.RETRY), "infrastructure",
          "exit code 75: something outside failed, for example a peer went away",
          "Pod {pod} asked for another attempt.", weak=True),
    Cause("Crashed", lambda pod: pod.exit_code not in (None, 0), "infrastructure",
          "any other exit code", "Pod {pod} ended with exit code {code}: see its log.", weak=True),
    Cause("PodFailed", lambda pod: pod.phase == "Failed", "infrastructure",
          "the kubelet failed the pod before its container ran", "Pod {pod} failed.", weak=True),
)  # fmt: skip

# How an attempt ends when no pod tells; the last two are the operator's own doing.
OTHER_CAUSES: Final[dict[str, tuple[Budget, str]]] = {
    "JobFailed": ("infrastructure", "the Job or PyTorchJob failed and none of its pods says why"),
    "Suspended": ("preemption", "the run was suspended"),
    "Replaced": ("preemption", "the attempt had not started and what it was rendered from has changed"),
}

BUDGETS: Final[dict[str, Budget]] = {cause.name: cause.budget for cause in CAUSES} | {
    name: budget for name, (budget, _) in OTHER_CAUSES.items()
}


@dataclass(frozen=True)
class Ended:
    """An attempt that is over."""

    cause: str  # Completed, or a name of BUDGETS
    reason: str  # one word: the worker's own reason where it gave one
    message: str
    exit_code: int | None = None
    pod: str | None = None
    step: int | None = None
    outputs: tuple[dict[str, Any], ...] = field(default=())  # of a completed attempt: each pod's, the latest last


@dataclass(frozen=True)
class Undecided:
    """An attempt that may be over; another look is due."""

    look_again: float  # seconds


def judge(work: WorkView | None, pods: Sequence[PodView], now: float) -> Ended | Undecided | None:
    """How an attempt ended, or None while it goes on; `pods` are the attempt's own."""
    if work is not None and work.end == "Complete":
        return _completed(work, pods, now)
    found = next(((cause, pod) for cause in CAUSES for pod in pods if cause.seen(pod)), None)
    if found is not None:
        cause, pod = found
        if cause.weak and _peers_may_speak(pods, now):
            return Undecided(1.0)
        return _ended(cause, pod)
    if work is not None and work.end == "Failed":
        if now < (work.ended_at or 0.0) + LAST_WORDS_SECONDS:
            return Undecided(1.0)
        return Ended(
            "JobFailed", "JobFailed", f"{work.kind} {work.name} failed: {work.end_message or 'no reason given'}"
        )
    return None


def _completed(work: WorkView, pods: Sequence[PodView], now: float) -> Ended | Undecided:
    silent = not pods or any(pod.exit_code is None for pod in pods if pod.index == 0)
    if silent and now < (work.ended_at or 0.0) + LAST_WORDS_SECONDS:
        return Undecided(1.0)
    ended = sorted((pod for pod in pods if pod.result is not None), key=lambda pod: pod.ended_at or 0.0)
    results = [pod.result for pod in ended if pod.result is not None]
    step = max((result.step for result in results if result.step is not None), default=None)
    outputs = tuple(result.output for result in results if result.output)
    return Ended("Completed", "Completed", f"{work.kind} {work.name} completed.", 0, None, step, outputs)


def _peers_may_speak(pods: Sequence[PodView], now: float) -> bool:
    running = any(pod.exit_code is None and pod.phase in ("Pending", "Running") for pod in pods)
    first_end = min((pod.ended_at for pod in pods if pod.ended_at is not None), default=0.0)
    return running and now < first_end + SETTLE_SECONDS


def _ended(cause: Cause, pod: PodView) -> Ended:
    result = pod.result
    default = cause.sentence.format(pod=pod.name, code=pod.exit_code, node=pod.node or "its node")
    if pod.status_message and result is None:
        default = f"{default} {pod.status_message}"
    return Ended(
        cause=cause.name,
        reason=result.reason if result is not None and cause.budget != "preemption" else cause.name,
        message=result.message if result is not None and result.message else default,
        exit_code=pod.exit_code,
        pod=pod.name,
        step=result.step if result is not None else None,
    )
