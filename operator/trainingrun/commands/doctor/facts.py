"""What `trainingrun doctor` has seen of a cluster, as plain values: the findings follow from nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Unseen:
    """Something that could not be looked at."""

    why: str  # a sentence


@dataclass(frozen=True)
class Right:
    """Something that a user may or may not do."""

    verb: str
    resource: str
    group: str = ""
    subresource: str = ""
    everywhere: bool = False  # in all namespaces, or of the cluster

    @property
    def words(self) -> str:
        """The right as a Role has it: get pods/log."""
        whole = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        return f"{self.verb} {whole}{f'.{self.group}' if self.group else ''}"


Seen = Sequence[Object] | Unseen


@dataclass(frozen=True)
class Facts:
    """Everything that was looked at; objects are as the API server gives them."""

    context: str
    namespace: str
    version: str = ""  # of the API server, such as v1.35.4
    clock_seconds: float | Unseen = 0.0  # of this machine less that of the API server
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)  # versions that are served, by API group
    run_fields: frozenset[str] | None | Unseen = None  # of the TrainingRun that is served, by path; None where none is
    namespaces: Seen = ()  # the one that is meant, or none
    operators: Seen = ()  # Deployments
    runs: Seen = ()  # TrainingRuns of the namespace
    training_operators: Seen = ()  # Deployments
    pytorchjobs: bool = False  # whether the API server knows the kind
    classes: Seen = ()  # StorageClasses
    claims: Seen = ()
    nodes: Seen = ()
    quotas: Seen = ()
    limit_ranges: Seen = ()
    accounts: Seen = ()  # ServiceAccounts
    secrets: Mapping[str, bool | Unseen] = field(default_factory=dict)  # whether one of a name is there
    queues: Seen = ()  # Kueue's LocalQueues
    rights: Mapping[Right, bool | Unseen] = field(default_factory=dict)


def seen(value: Sequence[Object] | Unseen) -> Sequence[Object]:
    """What was seen; nothing where nobody could look."""
    return () if isinstance(value, Unseen) else value


def named(objects: Sequence[Object] | Unseen, name: str) -> Object | None:
    """The object of a name; None where there is none or nobody could look."""
    return next((one for one in seen(objects) if one["metadata"]["name"] == name), None)


def variable(deployment: Object, name: str) -> str | None:
    """The value of a variable of a Deployment's containers."""
    containers = deployment["spec"]["template"]["spec"]["containers"]
    found = (one.get("value") for container in containers for one in container.get("env") or () if one["name"] == name)
    return next(found, None)
