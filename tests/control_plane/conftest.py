"""One API server for all tests of this tier, a namespace for each test."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_cluster.api_only import api_server

from builders import a_manifest
from control_plane.api import Api, Object, install_definitions, install_pytorchjobs
from control_plane.kubelet import Kubelet
from control_plane.operator_process import Operator, install_rights, running

# Of a line of the log; ",403" is a time's thousandths of a second.
REFUSED = re.compile(r"(?<![,.\d])403\b|forbidden", re.IGNORECASE)
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A real kube-apiserver and etcd with both definitions and the chart's rights."""
    with api_server(tmp_path_factory.mktemp("api")) as kubeconfig:
        api = Api(kubeconfig)
        install_definitions(api)
        install_pytorchjobs(api)
        install_rights(api)
        create_node(api, "node-1")
        yield api


@pytest.fixture
def namespace(api: Api) -> str:
    """A namespace of the test's own, with a bound claim."""
    name = f"test-{next(_numbers)}"
    api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    api.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}})
    create_claim(api, name)
    return name


def create_node(api: Api, name: str) -> None:
    """A node that says that it is ready."""
    api.create({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
    set_node_ready(api, name, "True")


def set_node_ready(api: Api, name: str, ready: str) -> None:
    """What a node's kubelet, or in its absence the node's controller, says of it."""
    condition = {"type": "Ready", "status": ready, "reason": "Test", "message": "Set by the test."}
    api.merge("Node", name, {"status": {"conditions": [condition]}}, part="status")


def create_claim(api: Api, namespace: str, name: str = "quickstart", mode: str = "ReadWriteMany") -> None:
    """A claim that is bound."""
    spec: Object = {"accessModes": [mode], "resources": {"requests": {"storage": "100Gi"}}, "volumeName": "v"}
    metadata = {"name": name, "namespace": namespace}
    api.create({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec})
    bound = {"status": {"phase": "Bound", "accessModes": [mode], "capacity": {"storage": "100Gi"}}}
    api.merge("PersistentVolumeClaim", name, bound, namespace, "status")


@pytest.fixture
def kubelet(api: Api, namespace: str) -> Kubelet:
    """The rest of the cluster, played in the test's namespace."""
    return Kubelet(api, namespace)


@pytest.fixture
def operator(api: Api, tmp_path: Path) -> Iterator[Operator]:
    """A running operator that watches everything."""
    with running(Operator(api, tmp_path)) as one:
        yield one
        refused = [line for line in one.said().splitlines() if REFUSED.search(line)]
        assert not refused, refused[:5]


@pytest.fixture
def manifest(namespace: str) -> Object:
    """A run in the test's namespace."""
    manifest = a_manifest("tiny")
    manifest["metadata"]["namespace"] = namespace
    return manifest
