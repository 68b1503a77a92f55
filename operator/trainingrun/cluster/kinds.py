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
ACCESS_REVIEW: Final = Kind("SelfSubjectAccessReview", "authorization.k8s.io/v1", "selfsubjectaccessreviews")
DEFINITION: Final = Kind("CustomResourceDefinition", "apiextensions.k8s.io/v1", "customresourcedefinitions")

BY_NAME: Final[dict[str, Kind]] = {
    one.name: one for one in (RUN, JOB, PYTORCHJOB, POD, CONFIG_MAP, CLAIM, NODE, EVENT, LEASE, TOKEN_REVIEW)
}
WORK: Final = (JOB, PYTORCHJOB)  # what an attempt is
UNFENCED: Final = (LEASE, TOKEN_REVIEW)  # what a replica that must not act may still write: neither moves a run

_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def described(method: str, path: str) -> tuple[str, str]:
    """The verb and the resource of a call, as the API server's own metrics name them, or that it asks for kinds."""
    parts = path.split("/")[3 if path.startswith("/api/") else 4 :]
    if parts[:1] == ["namespaces"] and len(parts) > 2:
        parts = parts[2:]
    if not parts:
        return "get", "discovery"
    verb = _VERBS.get(method) or ("get" if len(parts) > 1 else "list")
    return verb, "/".join([parts[0], *parts[2:3]])
