"""Metadata that all children have in common: names, labels, the owner."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from trainingrun.api import names
from trainingrun.api.training_run import Metadata

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Child:
    """Which attempt of which stage of which run an object is for."""

    run: Metadata
    stage: str
    attempt: int

    @property
    def name(self) -> str:
        """Name of the attempt's objects: run, stage and attempt."""
        return work_name(self.run.name, self.stage, self.attempt)

    @property
    def labels(self) -> dict[str, str]:
        """Labels of the attempt's objects and pods."""
        return {
            names.LABEL_RUN: self.run.name,
            names.LABEL_STAGE: self.stage,
            names.LABEL_ATTEMPT: str(self.attempt),
            names.LABEL_MANAGED_BY: names.MANAGED_BY,
        }

    def metadata(self, **more: Any) -> Manifest:
        """The object's metadata, owned by the run so that deleting the run deletes it."""
        return {
            "name": self.name,
            "namespace": self.run.namespace,
            "labels": self.labels,
            "ownerReferences": [owner(self.run)],
            **more,
        }


def work_name(run: str, stage: str, attempt: int) -> str:
    """Name of the objects of one attempt."""
    return f"{run}-{stage}-a{attempt}"


def work_metadata(child: Child, spec: Manifest, queue: str | None) -> Manifest:
    """The metadata of a Job or PyTorchJob, with the hash of what it is rendered from.

    Kueue takes what carries its label and begins suspended: it alone sets and takes back the suspension from then on,
    and the pods inherit neither.
    """
    if queue is None:
        return child.metadata(annotations={names.ANNOTATION_RENDERED: digest(spec)})
    labels = {**child.labels, names.LABEL_QUEUE: queue}
    return child.metadata(annotations={names.ANNOTATION_RENDERED: digest([spec, queue])}, labels=labels)


def owner(run: Metadata) -> Manifest:
    """The owner reference of the run's children."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "name": run.name,
        "uid": run.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def digest(value: Any, length: int = 12) -> str:
    """The first `length` hexadecimal digits of the SHA-256 of a JSON value, keys sorted."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:length]
