"""A real API server as the tests talk to it: as its administrator, in plain calls."""

import base64
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import urllib3
import yaml
from local_cluster.programs import built

from builders import REPOSITORY

Object = dict[str, Any]

PATHS = {
    "Namespace": "/api/v1/namespaces",
    "Node": "/api/v1/nodes",
    "Pod": "/api/v1/namespaces/{}/pods",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Secret": "/api/v1/namespaces/{}/secrets",
    "Event": "/api/v1/namespaces/{}/events",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "PersistentVolumeClaim": "/api/v1/namespaces/{}/persistentvolumeclaims",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
    "PyTorchJob": "/apis/kubeflow.org/v1/namespaces/{}/pytorchjobs",
    "TrainingRun": "/apis/trainingrun.dev/v1alpha1/namespaces/{}/trainingruns",
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
}


class ApiError(AssertionError):
    """An answer of 300 and more."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status


class Api:
    """An API server by its administrator's kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        document = yaml.safe_load(kubeconfig.read_text())
        cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
        self.kubeconfig, self.server = kubeconfig, str(cluster["server"])
        self.authority = self._file("ca.crt", cluster, "certificate-authority")
        self.certificate = self._file("admin.crt", user, "client-certificate")
        self.private_key = self._file("admin.key", user, "client-key")
        self._pool = urllib3.PoolManager(
            ca_certs=self.authority, cert_file=self.certificate, key_file=self.private_key, maxsize=8
        )

    def _file(self, name: str, part: Object, key: str) -> str:
        """A certificate or key as a file, whichever way the kubeconfig holds it."""
        if key in part:
            return str(part[key])
        path = self.kubeconfig.with_name(name)
        path.write_bytes(base64.b64decode(part[f"{key}-data"]))
        path.chmod(0o600)
        return str(path)

    def call(self, method: str, path: str, body: Any = None, content: str = "application/json") -> Any:
        """One call, its answer decoded."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": content, "Accept": "application/json"}
        answer = self._pool.request(method, self.server + path, body=data, headers=headers, timeout=30.0)
        if answer.status >= 300:
            raise ApiError(answer.status, answer.data.decode()[:2000])
        return json.loads(answer.data)

    def create(self, manifest: Object) -> Object:
        """A new object."""
        namespace = manifest["metadata"].get("namespace", "default")
        return dict(self.call("POST", PATHS[manifest["kind"]].format(namespace), manifest))

    def get(self, kind: str, name: str, namespace: str = "default") -> Object:
        """An object."""
        return dict(self.call("GET", f"{PATHS[kind].format(namespace)}/{name}"))

    def list(self, kind: str, namespace: str = "default", query: str = "") -> list[Object]:
        """All objects of a kind."""
        return list(self.call("GET", PATHS[kind].format(namespace) + query)["items"])

    def exists(self, kind: str, name: str, namespace: str = "default") -> bool:
        """Whether there is such an object."""
        try:
            self.get(kind, name, namespace)
        except ApiError as error:
            if error.status != 404:
                raise
            return False
        return True

    def merge(self, kind: str, name: str, patch: Object, namespace: str = "default", part: str = "") -> Object:
        """Change an object, or its `part` (status)."""
        path = "/".join([PATHS[kind].format(namespace), name, *([part] if part else [])])
        return dict(self.call("PATCH", path, patch, "application/merge-patch+json"))

    def delete(self, kind: str, name: str, namespace: str = "default", **options: Any) -> None:
        """Delete an object; none there is fine."""
        try:
            self.call("DELETE", f"{PATHS[kind].format(namespace)}/{name}", options or None)
        except ApiError as error:
            if error.status != 404:
                raise

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        """What kubectl prints."""
        command = [str(built("kubernetes") / "kubectl"), f"--kubeconfig={self.kubeconfig}", *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done.stdout

    def token(
        self,
        account: str,
        namespace: str = "default",
        pod: Object | None = None,
        audience: str = "",
        bound_to: Object | None = None,
    ) -> str:
        """A service account's token, bound to a pod or another object where one is given."""
        spec: Object = {"expirationSeconds": 3600, "audiences": [audience] if audience else []}
        if pod is not None:
            reference = {"kind": "Pod", "apiVersion": "v1", "name": pod["metadata"]["name"]}
            bound_to = {**reference, "uid": pod["metadata"]["uid"]}
        if bound_to is not None:
            spec["boundObjectRef"] = bound_to
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        path = f"{PATHS['ServiceAccount'].format(namespace)}/{account}/token"
        return str(self.call("POST", path, body)["status"]["token"])


def until(what: Callable[[], Any], seconds: float = 30.0, every: float = 0.1) -> Any:
    """Look again and again until something is true; what it was, or a failure that says what it last was."""
    deadline = time.monotonic() + seconds
    while True:
        found = what()
        if found:
            return found
        assert time.monotonic() < deadline, f"after {seconds} s still {found!r}: {getattr(what, '__name__', what)}"
        time.sleep(every)


def install_definitions(api: Api) -> None:
    """The TrainingRun's definition, and wait until it is served."""
    definition = yaml.safe_load((REPOSITORY / "crds" / "trainingruns.yaml").read_text())
    install_definition(api, definition)


def install_pytorchjobs(api: Api) -> None:
    """The definition of training-operator's PyTorchJob."""
    folder = built("training-operator") / "manifests" / "base" / "crds"
    install_definition(api, yaml.safe_load((folder / "kubeflow.org_pytorchjobs.yaml").read_text()))


def install_definition(api: Api, definition: Object) -> None:
    """A CustomResourceDefinition, established."""
    name = definition["metadata"]["name"]
    if not api.exists("CustomResourceDefinition", name):
        api.create(definition)

    def established() -> bool:
        conditions = api.get("CustomResourceDefinition", name).get("status", {}).get("conditions") or []
        return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)

    until(established)
    until(lambda: _answers(api, definition), 60)


def _answers(api: Api, definition: Object) -> bool:
    """Whether the API server lists the kind; at first it says that its storage is initializing."""
    spec = definition["spec"]
    try:
        api.call("GET", f"/apis/{spec['group']}/{spec['versions'][0]['name']}/{spec['names']['plural']}?limit=1")
    except ApiError as error:
        if error.status not in (404, 429):
            raise
        return False
    return True
