"""How much room nodes have, and taking it away from others."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from e2e.installation import apply, get, kubectl, wait_until
from e2e.volume import SECURITY

SIMULATED = "trainingrun.dev/simulated"
TOLERATION = {"key": "kwok.x-k8s.io/node", "operator": "Exists", "effect": "NoSchedule"}
GPU = "nvidia.com/gpu"


def real_node() -> str:
    """The name of a node that runs containers."""
    return str(get("nodes", "-l", f"{SIMULATED}!=true")["items"][0]["metadata"]["name"])


def free_millicores(node: str) -> int:
    """What the pods of a node have left of its processors' time, in thousandths of a core."""
    pods = get("pods", "--all-namespaces", "--field-selector", f"spec.nodeName={node}")["items"]
    taken = sum(_requested(pod) for pod in pods if pod["status"]["phase"] not in ("Succeeded", "Failed"))
    return _millicores(get("node", node)["status"]["allocatable"]["cpu"]) - taken


def _requested(pod: dict[str, Any]) -> int:
    requests = [one.get("resources", {}).get("requests", {}) for one in pod["spec"]["containers"]]
    return sum(_millicores(one.get("cpu", "0")) for one in requests)


def _millicores(quantity: str) -> int:
    return int(quantity[:-1]) if quantity.endswith("m") else int(float(quantity) * 1000)


def with_a_node(pods: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of the pods that hold what they asked for."""
    ended = ("Succeeded", "Failed")
    return [pod for pod in pods if pod["spec"].get("nodeName") and pod["status"]["phase"] not in ended]


def gpus(pods: list[dict[str, Any]]) -> int:
    """How many GPUs the pods hold."""
    limits = [one["resources"]["limits"] for pod in with_a_node(pods) for one in pod["spec"]["containers"]]
    return sum(int(one.get(GPU, 0)) for one in limits)


@contextmanager
def taken_gpus(namespace: str, count: int, image: str) -> Iterator[None]:
    """A pod on a simulated node that holds so many of its GPUs."""
    resources = {"limits": {GPU: count}}
    container = {"name": "holder", "image": image, "securityContext": SECURITY, "resources": resources}
    security = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {
        "containers": [container],
        "nodeSelector": {SIMULATED: "true"},
        "tolerations": [TOLERATION],
        "securityContext": security,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
    }
    metadata = {"name": "holder", "namespace": namespace}
    apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    wait_until("the GPUs are taken", lambda: with_a_node([get("pod", "holder", "-n", namespace)]), 60)
    try:
        yield
    finally:
        kubectl("delete", "pod", "holder", "-n", namespace, "--ignore-not-found", "--timeout=60s")
