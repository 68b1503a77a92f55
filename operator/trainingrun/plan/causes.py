"""The causes by which attempts end: one table, in the order in which they are looked for, and what follows of each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from trainingrun.plan.observed import PodView
from trainingrun_workers.contract import ExitCode

Budget = Literal["fail", "infrastructure", "preemption", "room", "placement", "loss"]

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
    Cause("VolumeSilent", lambda pod: _exited(pod, ExitCode.RETRY) and _reason(pod) == "VolumeSilent",
          "infrastructure", "exit code 75 with reason VolumeSilent: the volume answered nothing for half an hour",
          "The volume answered nothing in pod {pod}: look at its server.", blames_node=True),
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
