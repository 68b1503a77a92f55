"""Faults that end an attempt of a gang: how each is produced, and what the operator may take it for."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from chaos.watch import Pod
from chaos.world import HIGH, NAMESPACE, Training, World
from e2e import volume
from e2e.installation import CommandError, apply, cluster, get, kubectl, wait_until
from trainingrun.api.base import quantity

# The brackets keep the shell from finding its own command line.
KILL_A_RANK: Final = 'for p in /proc/[0-9]*; do grep -q "pretrain[.]rank" $p/cmdline && kill -9 ${p#/proc/}; done; true'
FILL_MEMORY: Final = "dd if=/dev/zero of=/dev/shm/ballast bs=1M count=1000; rm -f /dev/shm/ballast"


@dataclass(frozen=True)
class Blow:
    """One fault about to be produced: the victim is one pod of the gang."""

    world: World
    run: Training
    gang: list[Pod]
    victim: Pod


@dataclass(frozen=True)
class Fault:
    """A kind of fault that ends an attempt."""

    name: str
    causes: frozenset[str]  # what the attempt's end may be called
    saves: bool = False  # the gang is told to stop and may lose no step


def kill_a_rank(blow: Blow) -> None:
    """Kill -9 of a training process."""
    kubectl("exec", "-n", NAMESPACE, blow.victim.name, "--", "sh", "-c", KILL_A_RANK)


def kill_the_main_process(blow: Blow) -> None:
    """Kill -9 of a pod's first process, on the node where the agent is."""
    agent = blow.world.agent
    there = [pod for pod in (blow.victim, *blow.gang) if pod.node == agent.node]
    agent.kill_main_process(there[0].container)


def delete_the_pod(blow: Blow) -> None:
    """Somebody deletes a pod."""
    kubectl("delete", "pod", "-n", NAMESPACE, blow.victim.name, "--wait=false")


def evict_the_pod(blow: Blow) -> None:
    """The Eviction API, as autoscalers and drains use it."""
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{blow.victim.name}/eviction"
    metadata = {"name": blow.victim.name, "namespace": NAMESPACE}
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
    kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(body))


def drain_the_node(blow: Blow) -> None:
    """`kubectl drain` for the run's pods alone; the node is given back once they are gone."""
    selector = f"--pod-selector=trainingrun.dev/run={blow.run.name}"
    try:
        kubectl("drain", blow.victim.node, selector, "--force", "--delete-emptydir-data", "--timeout=90s")
    finally:
        kubectl("uncordon", blow.victim.node)


def exceed_the_memory(blow: Blow) -> None:
    """Fill the pod's memory volume, which counts against its limit, until the kernel kills for memory."""
    with contextlib.suppress(CommandError):  # dd may be killed as well
        kubectl("exec", "-n", NAMESPACE, blow.victim.name, "--", "sh", "-c", FILL_MEMORY)


def preempt(blow: Blow) -> None:
    """A pod of a higher priority for which there is room only without one of the gang's; it stays for a moment."""
    with intruder(blow.victim.node, blow.world.image):
        blow.world.watch.wait("a pod gives way", lambda: any(pod.free_at for pod in blow.gang), 90)


@contextmanager
def intruder(node: str, image: str) -> Iterator[None]:
    """Such a pod, while it is wanted."""
    pod = volume.visitor("intruder", NAMESPACE, "data", image, ["sleep", "infinity"])
    pod["spec"]["priorityClassName"] = HIGH
    pod["spec"]["nodeSelector"] = {"kubernetes.io/hostname": node}
    request = {"cpu": f"{_free_millicores(node) + 100:.0f}m", "memory": "32Mi"}
    pod["spec"]["containers"][0]["resources"] = {"requests": request}
    apply(pod)
    try:
        yield
    finally:
        kubectl("delete", "pod", "-n", NAMESPACE, "intruder", "--ignore-not-found", "--timeout=60s")


def _free_millicores(node: str) -> float:
    there = quantity(get("node", node)["status"]["allocatable"]["cpu"])
    pods = get("pods", "--all-namespaces", f"--field-selector=spec.nodeName={node}")["items"]
    return 1000 * (there - sum(_asked(pod) for pod in pods if pod["status"]["phase"] in ("Pending", "Running")))


def _asked(pod: dict[str, Any]) -> float:
    containers = pod["spec"]["containers"]
    return sum(quantity((one.get("resources", {}).get("requests") or {}).get("cpu", "0")) for one in containers)


def lose_the_node(name: str) -> float:
    """Cut a node's power; yields the time at which the cluster noticed."""
    cluster("kill-node", name)
    wait_until(f"{name} is not ready", lambda: not node_is_ready(name), 120, every=0.25)
    return time.time()


def node_is_ready(name: str) -> bool:
    """Whether a node says that it is."""
    conditions = get("node", name)["status"]["conditions"]
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


CRASH: Final = frozenset({"Retry", "Killed", "Crashed"})
STOP: Final = frozenset({"PodDeleted", "Evicted", "Preempted"})
STRIKES: Final[dict[Fault, Callable[[Blow], None]]] = {
    Fault("rank killed", CRASH): kill_a_rank,
    Fault("main process killed", CRASH): kill_the_main_process,
    Fault("out of memory", frozenset({"OutOfMemory"})): exceed_the_memory,
    Fault("pod deleted", STOP, saves=True): delete_the_pod,
    Fault("pod evicted", STOP, saves=True): evict_the_pod,
    Fault("node drained", STOP, saves=True): drain_the_node,
    Fault("preempted", STOP, saves=True): preempt,
}
NODE_LOST: Final = Fault("node lost", CRASH | {"NodeLost"})
