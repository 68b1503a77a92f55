"""A privileged pod on a node, for what no user of the cluster can do: killing a container's main process."""

from typing import Any, Final

from e2e.installation import apply, kubectl

NAMESPACE: Final = "chaos-agent"


class Agent:
    """The pod, running; it sees the node's processes."""

    def __init__(self, image: str) -> None:
        """Start it on whichever node there is room."""
        apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        apply(_pod(image))
        kubectl("wait", "-n", NAMESPACE, "pod/agent", "--for=condition=Ready", "--timeout=120s", timeout=150)
        self.node = kubectl("get", "pod", "-n", NAMESPACE, "agent", "-o", "jsonpath={.spec.nodeName}")

    def sh(self, script: str) -> str:
        """What a shell prints that runs as root among the node's processes."""
        return kubectl("exec", "-n", NAMESPACE, "agent", "--", "sh", "-ec", script)

    def kill_main_process(self, container: str) -> None:
        """SIGKILL to the first process of a container, from outside: from within the kernel does not let it pass."""
        first = f"grep -q {container} $p/cgroup && grep -qE '^NSpid:.*[[:space:]]1$' $p/status"
        self.sh(f"for p in /proc/[0-9]*; do {first} && kill -9 ${{p#/proc/}}; done 2>/dev/null; true")

    def close(self) -> None:
        """Delete it."""
        kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=60s")


def _pod(image: str) -> dict[str, Any]:
    container = {
        "name": "agent",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", "infinity"],
        "securityContext": {"privileged": True, "runAsUser": 0, "runAsGroup": 0},
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
    }
    spec = {
        "hostPID": True,
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "containers": [container],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "agent", "namespace": NAMESPACE}, "spec": spec}
