"""CRD: the CustomResourceDefinition that the API server is given, made of the models and the rules."""

from typing import Any, Final

from trainingrun.api import names
from trainingrun.api.rules import RULES
from trainingrun.api.schema import Schema, at, structural
from trainingrun.api.status import TrainingRunStatus
from trainingrun.api.training_run import TrainingRunSpec

# Lists whose items are told apart by keys: the API server refuses two of the same, and merges item by item. Not the
# status's: it has one writer, which replaces it whole, and keys cost the API server a third of each such write.
LIST_KEYS: Final[dict[str, list[str]]] = {
    "spec.data": ["name"],
    "spec.evaluate.tasks": ["name"],
    "spec.judge.between": ["name"],
    "spec.evaluate.compareWith": ["name"],
    "spec.variants": ["name"],
}

# Name, type, path, and priority: columns above 0 are shown by `kubectl get -o wide` alone.
COLUMNS: Final[tuple[tuple[str, str, str, int], ...]] = (
    ("Phase", "string", ".status.phase", 0),
    ("Stage", "string", ".status.stage", 0),
    ("Progress", "string", ".status.progress", 0),
    ("Loss", "string", ".status.loss", 0),
    ("ETA", "string", ".status.eta", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Restarts", "integer", ".status.restarts", 1),
    ("Message", "string", '.status.conditions[?(@.type=="Ready")].message', 1),
)

MAX_BYTES: Final = 200 * 1024


def crd() -> Schema:
    """The CustomResourceDefinition as one object."""
    version = {
        "name": names.VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [_column(*one) for one in COLUMNS],
        "schema": {"openAPIV3Schema": schema()},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names.PLURAL}.{names.GROUP}"},
        "spec": {
            "group": names.GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": names.KIND,
                "listKind": f"{names.KIND}List",
                "plural": names.PLURAL,
                "singular": names.SINGULAR,
                "shortNames": [names.SHORT_NAME],
            },
            "versions": [version],
        },
    }


def schema() -> Schema:
    """The structural schema of a whole object, with list types and rules."""
    root: Schema = {
        "description": "One manifest that becomes a trained language model: tokenize, pretrain, convert, evaluate, "
        "fine-tune, release.",
        "type": "object",
        "properties": {
            "apiVersion": {"description": f"The version of this kind: {names.API_VERSION}.", "type": "string"},
            "kind": {"description": f"The kind: {names.KIND}.", "type": "string"},
            "metadata": {"type": "object"},
            "spec": structural(TrainingRunSpec),
            "status": structural(TrainingRunStatus),
        },
        "required": ["spec"],
    }
    for path, keys in LIST_KEYS.items():
        at(root, path).update({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys})
    for rule in RULES:
        if rule.cel is not None and not rule.untyped:
            rules = at(root, rule.path).setdefault("x-kubernetes-validations", [])
            rules.append({"rule": rule.cel, "message": rule.message})
    return root


def _column(name: str, kind: str, path: str, priority: int) -> dict[str, Any]:
    column: dict[str, Any] = {"name": name, "type": kind, "jsonPath": path}
    return column | ({"priority": priority} if priority else {})
