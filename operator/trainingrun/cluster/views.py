"""From the API server's objects to the plain values that decisions look at."""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from trainingrun.api import names
from trainingrun.api.base import quantity
from trainingrun.manifests.meta import work_name
from trainingrun.manifests.pod import WORKER_CONTAINER
from trainingrun.plan.observed import ClaimView, PodView, WorkKind, WorkView
from trainingrun_workers.contract import Result

Raw = Mapping[str, Any]

COMPLETION_INDEX: Final = "batch.kubernetes.io/job-completion-index"  # annotation of an Indexed Job's pods
REPLICA_TYPE: Final = "training.kubeflow.org/replica-type"  # label of a PyTorchJob's pods: master or worker
REPLICA_INDEX: Final = "training.kubeflow.org/replica-index"  # label: its number among those of its type
MAIN_CONTAINERS: Final = (names.PYTORCH_CONTAINER, WORKER_CONTAINER)
QUIET_WAITING: Final = frozenset({"ContainerCreating", "PodInitializing", ""})  # what every pod goes through

WORK_KINDS: Final = ("Job", "PyTorchJob")

# Conditions of a Job and of a PyTorchJob that say how it ended.
ENDS: Final[dict[str, Literal["Complete", "Failed"]]] = {
    "Complete": "Complete",
    "Succeeded": "Complete",
    "Failed": "Failed",
}


@dataclass(frozen=True)
class SeenWork:
    """A Job or PyTorchJob, and the uid of the run that owns it."""

    view: WorkView
    owner: str
    created_at: float


@dataclass(frozen=True)
class SeenPod:
    """A pod, and what its view needs besides: some of it depends on the time and on the node."""

    view: PodView
    owner: str  # uid of its Job or PyTorchJob; empty where that is not an attempt's, whatever the labels say
    uid: str
    ready: bool  # its Ready condition, which the node's controller takes back when the node is lost
    deletion_deadline: float | None  # when its grace period ends


def epoch(text: str | None) -> float | None:
    """Seconds since the epoch of a time as Kubernetes writes it; None for none."""
    return datetime.datetime.fromisoformat(text).timestamp() if text else None


def owner_uid(metadata: Raw) -> str:
    """The uid of an object's controlling owner, empty where it has none."""
    owners = metadata.get("ownerReferences") or ()
    return next((str(one["uid"]) for one in owners if one.get("controller")), "")


def labelled_stage(metadata: Raw) -> tuple[str, int]:
    """Stage and attempt of an object by its labels; attempt 0 where the label is no number."""
    labels = metadata.get("labels") or {}
    attempt = str(labels.get(names.LABEL_ATTEMPT, ""))
    return str(labels.get(names.LABEL_STAGE, "")), int(attempt) if attempt.isdigit() else 0


def owning_attempt(metadata: Raw) -> str:
    """The uid of the Job or PyTorchJob of the attempt that a pod's labels name; empty where another or nothing owns it.

    Labels are easily copied, into a pod for debugging for example: what such a pod does must not move a run.
    """
    stage, attempt = labelled_stage(metadata)
    name = work_name((metadata.get("labels") or {}).get(names.LABEL_RUN, ""), stage, attempt)
    owner: Raw = next((one for one in metadata.get("ownerReferences") or () if one.get("controller")), {})
    ours = owner.get("kind") in WORK_KINDS and owner.get("name") == name
    return str(owner["uid"]) if ours else ""


def seen_work(kind: WorkKind, raw: Raw) -> SeenWork:
    """What a Job or PyTorchJob shows."""
    metadata = raw["metadata"]
    stage, attempt = labelled_stage(metadata)
    end, spec = _end(raw), raw.get("spec") or {}
    view = WorkView(
        kind=kind,
        name=metadata["name"],
        uid=metadata["uid"],
        stage=stage,
        attempt=attempt,
        rendered=(metadata.get("annotations") or {}).get(names.ANNOTATION_RENDERED, ""),
        pods=_size(spec),
        replaces_pods=spec.get("backoffLimitPerIndex") is not None,
        given_up=(raw.get("status") or {}).get("failedIndexes") or "",
        deleting="deletionTimestamp" in metadata,
        suspended=_is_suspended(spec),
        end=ENDS[end["type"]] if end else "",
        end_message=str(end.get("message") or "") if end else "",
        ended_at=epoch(end.get("lastTransitionTime")) if end else None,
    )
    return SeenWork(view, owner_uid(metadata), epoch(metadata.get("creationTimestamp")) or 0.0)


def _size(spec: Raw) -> int:
    """How many pods a Job or a PyTorchJob has by its spec."""
    replicas = (spec.get("pytorchReplicaSpecs") or {}).values()
    return sum(int(one.get("replicas") or 1) for one in replicas) or int(spec.get("completions") or 1)


def _is_suspended(spec: Raw) -> bool:
    """Whether a Job's or a PyTorchJob's spec holds its pods back."""
    return bool(spec.get("suspend") or (spec.get("runPolicy") or {}).get("suspend"))


def _end(raw: Raw) -> Raw | None:
    conditions = (raw.get("status") or {}).get("conditions") or ()
    return next((one for one in conditions if one.get("type") in ENDS and one.get("status") == "True"), None)


def seen_pod(raw: Raw) -> SeenPod:
    """What a pod shows."""
    metadata, status = raw["metadata"], raw.get("status") or {}
    stage, attempt = labelled_stage(metadata)
    conditions = {one["type"]: one for one in status.get("conditions") or ()}
    deadline = epoch(metadata.get("deletionTimestamp"))
    view = PodView(
        name=metadata["name"],
        stage=stage,
        attempt=attempt,
        index=pod_index(metadata),
        phase=status.get("phase") or "Pending",
        node=(raw.get("spec") or {}).get("nodeName") or "",
        deleting=deadline is not None,
        created_at=epoch(metadata.get("creationTimestamp")) or 0.0,
        status_reason=status.get("reason") or "",
        status_message=status.get("message") or "",
        disrupted=_reason_of(conditions.get("DisruptionTarget"), "True"),
        unschedulable=_unschedulable(conditions.get("PodScheduled")),
        **_main_container(status),
        **_waiting(status),
    )
    ready = (conditions.get("Ready") or {}).get("status") == "True"
    return SeenPod(view, owning_attempt(metadata), metadata["uid"], ready, deadline)


def pod_index(metadata: Raw) -> int:
    """Completion index of a Job's pod, or rank of a gang's: the master is 0, worker i is i + 1."""
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    index = annotations.get(COMPLETION_INDEX) or labels.get(COMPLETION_INDEX) or labels.get(REPLICA_INDEX) or "0"
    first = 1 if labels.get(REPLICA_TYPE, "").lower() == "worker" else 0
    return first + int(index)


def _reason_of(condition: Raw | None, status: str) -> str:
    return str(condition.get("reason") or "") if condition and condition.get("status") == status else ""


def _unschedulable(condition: Raw | None) -> str:
    if condition is None or _reason_of(condition, "False") != "Unschedulable":
        return ""
    return str(condition.get("message") or "Unschedulable")


def _main_container(status: Raw) -> dict[str, Any]:
    """What is known of the container that does the work."""
    statuses = list(status.get("containerStatuses") or ())
    main = next((one for one in statuses if one.get("name") in MAIN_CONTAINERS), statuses[0] if statuses else {})
    state = main.get("state") or {}
    ended = state.get("terminated")
    if not ended:
        return {"started": "running" in state}
    return {
        # The kubelet also says "terminated" of a container that never ran, and then without a start.
        "started": bool(ended.get("startedAt")),
        "ended_at": epoch(ended.get("finishedAt")),
        "exit_code": ended.get("exitCode"),
        "ended_reason": ended.get("reason") or "",
        "result": Result.from_text(ended.get("message") or ""),
    }


def _waiting(status: Raw) -> dict[str, Any]:
    """Why a container can't start, init containers first."""
    for one in _containers(status):
        waiting = (one.get("state") or {}).get("waiting") or {}
        if waiting.get("reason", "") not in QUIET_WAITING:
            return {
                "waiting_reason": waiting["reason"],
                "waiting_message": waiting.get("message") or "",
                "waiting_image": one.get("image") or "",
            }
    return {}


def _containers(status: Raw) -> Iterable[Raw]:
    yield from status.get("initContainerStatuses") or ()
    yield from status.get("containerStatuses") or ()


def claim_view(raw: Raw) -> ClaimView:
    """What a PersistentVolumeClaim shows."""
    spec, status = raw.get("spec") or {}, raw.get("status") or {}
    requested = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    size = (status.get("capacity") or {}).get("storage") or requested or "0"
    return ClaimView(
        name=raw["metadata"]["name"],
        phase=status.get("phase") or "Pending",
        access_modes=tuple(status.get("accessModes") or spec.get("accessModes") or ()),
        capacity=quantity(size),
        deleting="deletionTimestamp" in raw["metadata"],
    )


def node_is_ready(raw: Raw | None) -> bool:
    """Whether a node says that it is ready; a node that is gone is not."""
    conditions = ((raw or {}).get("status") or {}).get("conditions") or ()
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def newest_warning(events: Iterable[Raw]) -> str:
    """The message of the newest of some events, empty where there are none."""
    said = sorted((one.get("lastTimestamp") or one.get("eventTime") or "", one.get("message") or "") for one in events)
    return str(said[-1][1]) if said else ""
