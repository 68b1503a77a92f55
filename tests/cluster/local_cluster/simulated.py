"""Simulated nodes by KWOK: Ready at once, and pods on them run without running. For tests of scale."""

from pathlib import Path

from local_cluster.kubectl import Manifest, apply, kubectl
from local_cluster.paths import state, write
from local_cluster.processes import Process
from local_cluster.programs import built

_LABEL = "trainingrun.dev/simulated"
# What KWOK is to do with its nodes and pods, as its own module has it: nodes Ready, pods running, jobs done at once.
_STAGES = ("fast",)


def process() -> Process:
    """KWOK's controller, a process of this machine."""
    return Process("kwok", state())


def simulate(kubeconfig: Path, count: int) -> None:
    """Have exactly so many simulated nodes, `simulated-0` and up, of 8 `nvidia.com/gpu` each; 0 ends the simulation.

    They carry the taint `kwok.x-k8s.io/node=fake:NoSchedule` and the label `trainingrun.dev/simulated=true`.
    """
    kubectl(kubeconfig, "delete", "node", "--selector", f"{_LABEL}=true", "--ignore-not-found")
    if count == 0:
        process().stop()
        return
    folders = [built("kwok") / "stage" / name for name in _STAGES]
    stages = "---\n".join(kubectl(kubeconfig, "kustomize", folder) for folder in folders)
    write(state() / "kwok.yaml", stages)
    process().start(
        [
            built("kwok") / "kwok",
            f"--config={state() / 'kwok.yaml'}",
            f"--kubeconfig={kubeconfig}",
            f"--manage-nodes-with-label-selector={_LABEL}=true",
            "--server-address=127.0.0.1:10247",
            "--node-lease-duration-seconds=40",
        ]
    )
    apply(kubeconfig, [_node(number) for number in range(count)])
    kubectl(kubeconfig, "wait", "--for=condition=Ready", "node", "--selector", f"{_LABEL}=true", "--timeout=120s")


def _node(number: int) -> Manifest:
    capacity = {"cpu": "64", "memory": "512Gi", "pods": "110", "ephemeral-storage": "1Ti", "nvidia.com/gpu": "8"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": f"simulated-{number}",
            "annotations": {"kwok.x-k8s.io/node": "fake"},
            "labels": {_LABEL: "true", "kubernetes.io/hostname": f"simulated-{number}", "kubernetes.io/os": "linux"},
        },
        "spec": {"taints": [{"key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule"}]},
        "status": {"allocatable": capacity, "capacity": capacity},
    }
