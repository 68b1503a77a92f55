"""How attempts end: one table of causes, in the order in which they are looked for, and what follows from each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from trainingrun.plan import blame
from trainingrun.plan.observed import PodView, WorkView
from trainingrun.plan.waits import left
from trainingrun_workers.contract import ExitCode

Budget = Literal["fail", "infrastructure", "preemption", "room", "placement", "loss"]

SETTLE_SECONDS: Final = 5.0  # how long peers may take to say a weightier cause than the first pod's
LAST_WORDS_SECONDS: Final = 15.0  # how long the pods of an ended Job may take to be seen as ended

# What the kubelet calls the end of a container that it could not start, or of which it knows no more, for example
# after the node's restart.
LOST_CONTAINER: Final = frozenset({"ContainerCannotRun", "ContainerStatusUnknown", "StartError", "Unknown"})

BAD_LOSS: Final = frozenset({"NonFiniteLoss", "LossSpike"})  # reasons of a worker whose step is that of the loss


@dataclass(frozen=True)
class Cause:
    """One way in which an attempt ends."""

    name: str
    seen: Callable[[PodView], bool]
    # fail: never retried; infrastructure: counted; preemption: neither counted nor delayed; room and placement:
    # delayed, and never counted, since waiting is what helps; loss: as `pretrain.badLoss` says
    budget: Budget
    meaning: str  # for the documentation
    sentence: str  # for the status, with {pod}, {code} and {node}
    weak: bool = False  # often only the consequence of what happened to a peer, whose own word is waited for
    # Whether the node is avoided when it happens there twice. True only where the kubelet or the node itself failed:
    # what a process does (a crash, a kill, memory over its limit, a lost peer) goes with it to any other node, and
    # evictions are the cluster's will.
    blames_node: bool = False
    blames_at_once: bool = False  # whether once is enough: the node was measured, so that no chance was in it
    blames_only_named: bool = False  # whether the pod's own node is not blamed where its words name none
    knows_better: bool = False  # the kubelet knows what the pod itself could not: its sentence stands before the pod's
    mended: bool = True  # a Job that replaces its pods mends it by itself, while it goes on


def _exited(pod: PodView, *codes: int) -> bool:
    return pod.exit_code in codes


def _reason(pod: PodView) -> str:
    return pod.result.reason if pod.result is not None else ""


def _evicted(pod: PodView) -> bool:
    return bool(pod.disrupted) or pod.status_reason in ("Evicted", "Preempting", "Terminated", "NodeShutdown")


# First match over all pods of the attempt wins: what only the user can mend, then what names its culprit, then the
# rest. Printed in docs/architecture.md.
CAUSES: Final[tuple[Cause, ...]] = (
    Cause("BadLoss", lambda pod: _exited(pod, ExitCode.BAD_DATA) and _reason(pod) in BAD_LOSS, "loss",
          "exit code 65 with reason NonFiniteLoss or LossSpike", "The loss went bad in pod {pod}: see its log.",
          mended=False),
    Cause("BadData", lambda pod: _exited(pod, ExitCode.BAD_DATA), "fail",
          "exit code 65: the input data are at fault", "The data are at fault in pod {pod}: see its log.",
          mended=False),
    Cause("BadConfig", lambda pod: _exited(pod, ExitCode.BAD_CONFIG), "fail",
          "exit code 78: the configuration is at fault", "The configuration is at fault in pod {pod}: see its log.",
          mended=False),
    Cause("OutOfMemory", lambda pod: pod.ended_reason == "OOMKilled", "infrastructure",
          "the kernel killed the container for memory (OOMKilled)",
          "Pod {pod} was killed for memory: raise the memory limit of the stage's resources, or use smaller batches.",
          knows_better=True),
    Cause("NodeLost", lambda pod: bool(pod.node) and not pod.node_ready and pod.phase != "Succeeded",
          "infrastructure", "the pod's node is NotReady or gone", "Node {node} of pod {pod} is not ready.",
          blames_node=True, mended=False),
    Cause("Evicted", _evicted, "preemption",
          "preemption by the scheduler, eviction, drain or shutdown of the node", "Pod {pod} was evicted from {node}."),
    Cause("Preempted", lambda pod: _exited(pod, ExitCode.PREEMPTED), "preemption",
          "exit code 143: told to stop, and saved", "Pod {pod} was told to stop."),
    Cause("PodDeleted", lambda pod: pod.deleting and pod.exit_code in (None, 137), "preemption",
          "somebody deleted the pod, and it did not end by itself", "Pod {pod} was deleted."),
    Cause("ContainerLost", lambda pod: pod.ended_reason in LOST_CONTAINER, "infrastructure",
          "the node could not start the container, or lost it (StartError, ContainerCannotRun, "
          "ContainerStatusUnknown, Unknown)", "Node {node} lost the container of pod {pod}, or could not start it.",
          blames_node=True),
    Cause("Killed", lambda pod: _exited(pod, 137), "infrastructure",
          "exit code 137: killed by a signal, not for memory", "Pod {pod} was killed (exit code 137)."),
    Cause("VolumeFull", lambda pod: pod.result is not None and pod.result.reason == "VolumeFull", "room",
          "exit code 75 with reason VolumeFull", "The volume is full: make room on it.", mended=False),
    Cause("BadNode", lambda pod: _exited(pod, ExitCode.RETRY) and _reason(pod) == "BadNode", "infrastructure",
          "exit code 75 with reason BadNode: the pre-flight found nodes far worse than the others, or with bad cards",
          "The pre-flight found a bad node: see the log of pod {pod}.", blames_node=True, blames_at_once=True),
    Cause("PreflightTimeout", lambda pod: _exited(pod, ExitCode.RETRY) and _reason(pod) == "PreflightTimeout",
          "infrastructure", "exit code 75 with reason PreflightTimeout: the pre-flight hung",
          "The pre-flight hung: see the log of pod {pod}.", blames_node=True, blames_only_named=True),
    Cause("Retry", lambda pod: _exited(pod, ExitCode.RETRY), "infrastructure",
          "exit code 75: something outside failed, for example a peer went away",
          "Pod {pod} asked for another attempt.", weak=True),
    Cause("Crashed", lambda pod: pod.exit_code not in (None, 0), "infrastructure",
          "any other exit code", "Pod {pod} ended with exit code {code}: see its log.", weak=True),
    Cause("PodFailed", lambda pod: pod.phase == "Failed", "infrastructure",
          "the kubelet failed the pod before its container ran", "Pod {pod} failed.", weak=True, blames_node=True),
)  # fmt: skip

# How an attempt ends when no pod tells; all but the first three are the operator's own doing.
OTHER_CAUSES: Final[dict[str, tuple[Budget, str]]] = {
    "JobFailed": ("infrastructure", "the Job or PyTorchJob failed and none of its pods says why"),
    "Hang": (
        "infrastructure",
        "a custom engine took no step for `recovery.hangTimeout`, or reported none; the others notice it themselves",
    ),
    "Unfinished": (
        "infrastructure",
        "a custom engine ended with 0 and its last words do not name the last checkpoint",
    ),
    "Unschedulable": (
        "placement",
        "a pod of the gang had no node for `recovery.schedulingTimeout`: everything was given back",
    ),
    "NotStarted": (
        "placement",
        "a pod of the gang could not start on its node, for want of its image for example, for "
        "`recovery.schedulingTimeout`: everything was given back",
    ),
    "Dequeued": ("preemption", "its Job or PyTorchJob was suspended, as a queue does that takes an admission back"),
    "Suspended": ("preemption", "the run was suspended"),
    "Replaced": (
        "preemption",
        "what it was rendered from was changed before it had started, or `tokenize.parallelism` while it went on",
    ),
    "WentBack": ("preemption", "somebody asked for an earlier step to go on from: `trainingrun restart-from`"),
}

BUDGETS: Final[dict[str, Budget]] = {cause.name: cause.budget for cause in CAUSES} | {
    name: budget for name, (budget, _) in OTHER_CAUSES.items()
}

BLAMED: Final = frozenset(cause.name for cause in CAUSES if cause.blames_node)
BLAMED_AT_ONCE: Final = frozenset(cause.name for cause in CAUSES if cause.blames_at_once)


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
