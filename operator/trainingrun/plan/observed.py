"""What one pass has seen of the cluster: plain frozen values, all that a decision may look at besides the run."""

from dataclasses import dataclass, field
from typing import Literal

from trainingrun_workers.contract import Result, Snapshot

WorkKind = Literal["Job", "PyTorchJob"]


@dataclass(frozen=True)
class WorkView:
    """The Job or PyTorchJob of one attempt."""

    kind: WorkKind
    name: str
    uid: str
    stage: str
    attempt: int
    rendered: str  # the hash in its annotation of what it was rendered from
    pods: int = 1  # by its spec
    replaces_pods: bool = False  # by its spec: a pod that dies is replaced alone, and the others go on
    given_up: str = ""  # indexes of such a Job whose pods have failed too often: "3,5-7"
    deleting: bool = False
    suspended: bool = False  # by its spec: it waits in a queue, or is being taken back into it
    end: Literal["", "Complete", "Failed"] = ""
    end_message: str = ""  # of the condition that says so
    ended_at: float | None = None  # seconds since the epoch
    refusal: str = ""  # newest warning event that says why its pods could not be created


@dataclass(frozen=True)
class PodView:
    """One pod of an attempt."""

    name: str
    stage: str
    attempt: int
    index: int  # completion index of a Job's pod, node rank of a gang's
    phase: Literal["Pending", "Running", "Succeeded", "Failed", "Unknown"]
    node: str = ""
    node_ready: bool = True  # False where the node is NotReady or gone
    deleting: bool = False
    delete_grace_ended: bool = False  # deleting, and its grace period is over
    created_at: float = 0.0
    started: bool = False  # whether the main container has ever run
    ended_at: float | None = None  # of the main container
    exit_code: int | None = None  # of the main container
    ended_reason: str = ""  # of the main container, as the kubelet says: OOMKilled, Error, ContainerStatusUnknown
    status_reason: str = ""  # of the pod: Evicted, NodeLost, UnexpectedAdmissionError
    status_message: str = ""
    disrupted: str = ""  # reason of a DisruptionTarget condition: PreemptionByScheduler, EvictionByEvictionAPI …
    result: Result | None = None  # its last words, where it left any
    waiting_reason: str = ""  # of a container that can't start: ImagePullBackOff, CreateContainerConfigError
    waiting_message: str = ""
    waiting_image: str = ""
    unschedulable: str = ""  # the scheduler's own message


@dataclass(frozen=True)
class ClaimView:
    """The run's PersistentVolumeClaim."""

    name: str
    phase: str  # Pending, Bound, Lost
    access_modes: tuple[str, ...]
    capacity: float  # bytes: what is there when bound, else what is requested
    deleting: bool = False


@dataclass(frozen=True)
class Neighbour:
    """Another run in the namespace that uses the same claim and is not over."""

    name: str
    created_at: str
    working_on: tuple[str, ...]  # folders of its stages that are running or between two attempts, complete ones too


@dataclass(frozen=True)
class Delivery:
    """What has become of a message to people."""

    event: str
    stage: str | None
    at: str  # as in the status, which tells messages apart
    time: float  # seconds since the epoch, when it was sent or given up
    error: str | None = None  # why it was given up; None where it was sent


@dataclass(frozen=True)
class Observed:
    """Everything one pass has read."""

    claim: ClaimView | None = None
    pytorchjobs_served: bool = True  # whether the API server knows the kind PyTorchJob
    work: tuple[WorkView, ...] = ()
    pods: tuple[PodView, ...] = ()
    config_maps: tuple[str, ...] = ()  # names of the run's ConfigMaps
    snapshots: tuple[Snapshot, ...] = ()  # newest of each stage and index, of this run's uid
    neighbours: tuple[Neighbour, ...] = ()
    made: frozenset[str] = frozenset()  # folders of tokens on the claim that are complete, whoever works with them
    problems: dict[str, str] = field(default_factory=dict)  # object name → why its last apply was refused
    deliveries: tuple[Delivery, ...] = ()  # of messages that are settled, though perhaps not yet by the status
