"""What one pass wants done: the only thing that `plan` hands to the code that talks to the API server."""

from dataclasses import dataclass
from typing import Any, Literal

from trainingrun.api.status import Notification, TrainingRunStatus


@dataclass(frozen=True)
class Deletion:
    """An object to delete with its pods; only if it still has this uid."""

    kind: Literal["Job", "PyTorchJob", "ConfigMap", "Pod"]
    name: str
    uid: str | None = None
    force: bool = False  # grace period 0: for the pods of a node that is gone


@dataclass(frozen=True)
class Event:
    """A line in the run's log book."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


@dataclass(frozen=True)
class Plan:
    """A whole pass: objects are applied in order, then deletions, then the status, then events."""

    status: TrainingRunStatus
    apply: tuple[dict[str, Any], ...] = ()
    delete: tuple[Deletion, ...] = ()
    events: tuple[Event, ...] = ()
    notify: tuple[Notification, ...] = ()  # to be sent, unless they are on their way
    requeue_after: float | None = None  # seconds; None where only a change can call for another pass
