"""Where each kind that the operator touches lies on the API server."""

from dataclasses import dataclass
from typing import Final

from trainingrun.api import names


@dataclass(frozen=True)
class Kind:
    """A kind of the API, with all that a path is made of."""

    name: str
    api_version: str
    plural: str

    def path(self, namespace: str | None, name: str | None = None, subresource: str | None = None) -> str:
        """The path of an object, or of the collection without `name`; of the cluster's without `namespace`."""
        root = "/api" if "/" not in self.api_version else "/apis"
        where = f"/namespaces/{namespace}" if namespace else ""
        parts = [part for part in (name, subresource) if part]
        return "/".join([f"{root}/{self.api_version}{where}/{self.plural}", *parts])


RUN: Final = Kind(names.KIND, names.API_VERSION, names.PLURAL)
JOB: Final = Kind("Job", "batch/v1", "jobs")
PYTORCHJOB: Final = Kind("PyTorchJob", names.KUBEFLOW_API_VERSION, "pytorchjobs")
POD: Final = Kind("Pod", "v1", "pods")
CONFIG_MAP: Final = Kind("ConfigMap", "v1", "configmaps")
CLAIM: Final = Kind("PersistentVolumeClaim", "v1", "persistentvolumeclaims")
NODE: Final = Kind("Node", "v1", "nodes")
EVENT: Final = Kind("Event", "v1", "events")
LEASE: Final = Kind("Lease", "coordination.k8s.io/v1", "leases")
TOKEN_REVIEW: Final = Kind("TokenReview", "authentication.k8s.io/v1", "tokenreviews")

BY_NAME: Final[dict[str, Kind]] = {
    one.name: one for one in (RUN, JOB, PYTORCHJOB, POD, CONFIG_MAP, CLAIM, NODE, EVENT, LEASE, TOKEN_REVIEW)
}
WORK: Final = (JOB, PYTORCHJOB)  # what an attempt is
UNFENCED: Final = (LEASE, TOKEN_REVIEW)  # what a replica that must not act may still write: neither moves a run

_PLURALS: Final = frozenset(one.plural for one in BY_NAME.values())
_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def described(method: str, path: str) -> tuple[str, str]:
    """The verb and the resource of a call, as the API server's own metrics name them; discovery is one too."""
    parts = path.split("/")
    at = next((position for position, part in enumerate(parts) if part in _PLURALS), None)
    if at is None:
        return "get", "discovery"
    verb = _VERBS.get(method) or ("get" if at + 1 < len(parts) else "list")
    return verb, "/".join([parts[at], *parts[at + 2 : at + 3]])
