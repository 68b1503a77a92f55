"""The cluster built from source: up, down, its nodes. Every function may be called again, after any death."""

import os
import shutil
from pathlib import Path

from local_cluster import (
    buildkit,
    cgroups,
    containerd,
    control_plane,
    gang_scheduling,
    images,
    kubelet,
    mounts,
    network,
    simulated,
    storage,
    training_operator,
)
from local_cluster.errors import ClusterError
from local_cluster.kubectl import apply, kubectl, wait_until_succeeds
from local_cluster.node import FIRST, MOST_NODES, Node, cgroup_root, known, members, named
from local_cluster.packages import install
from local_cluster.paths import locked, state
from local_cluster.processes import Process, stop_all
from local_cluster.programs import ON_DEMAND, PROGRAMS, built, folder_of
from local_cluster.progress import duration, say


def build(names: list[str]) -> list[Path]:
    """Build these programs, or all that `up` needs where none is named; returns their folders."""
    wanted = names or [name for name in PROGRAMS if name not in ON_DEMAND]
    missing = [name for name in wanted if not folder_of(name).exists()]
    if missing:
        seconds = sum(PROGRAMS[name].seconds for name in missing)
        say(f"building {', '.join(missing)} once: about {duration(seconds)} on 2 cores")
    return [built(name) for name in wanted]


def up(nodes: int | None) -> Path:
    """Bring the cluster up with so many nodes (None: as many as it has, at least 1); returns its kubeconfig."""
    if os.geteuid() != 0:
        raise ClusterError("A cluster built from source needs root: run the command again as root.")
    if nodes is not None and not 1 <= nodes <= MOST_NODES:
        raise ClusterError(f"{nodes} nodes were asked for: choose from 1 to {MOST_NODES}.")
    install()
    build([])
    with locked("cluster"):
        wanted = [Node(number) for number in range(1, (nodes or len(members()) or 1) + 1)]
        if not _running(wanted):
            _start(wanted)
        for node in members():
            if node not in wanted:
                _remove(node)
    return control_plane.kubeconfig()


def down() -> None:
    """End everything and leave no process, mount, network device, control group or table; images stay."""
    with locked("cluster"):
        stop_all([node.kubelet for node in known()], grace=3)
        buildkit.process().stop()
        for node in known():
            kubelet.take_away(node)
        _end_control_plane()
        network.take_away()
        cgroups.end(cgroup_root())
        mounts.unmount_below(state())


def synchronise_images(wanted: list[str]) -> None:
    """Have these images, all where none is named, on the other nodes that run; one that lacks any restarts."""
    with locked("cluster"):
        stale = [node for node in members() if containerd.answers(node) and not images.current(node, wanted)]
        for node in stale:
            say(f"restarting {node.name} with the images of {FIRST.name}")
            kubelet.kill(node)
            kubelet.start(node)
        if stale:
            _wait_for_nodes(stale)


def processes() -> list[Process]:
    """Every process that the cluster may have."""
    of_nodes = [process for node in known() for process in (node.containerd, node.kubelet)]
    return [*control_plane.processes(), *_additions(), buildkit.process(), *of_nodes]


def _additions() -> list[Process]:
    return [storage.process(), simulated.process(), *gang_scheduling.processes()]


def kill_node(name: str) -> None:
    """Let a node die as in a power cut; it becomes NotReady in about 20 s. The first one is refused."""
    node = named(name)
    if node == FIRST:
        raise ClusterError(f"{FIRST.name} also holds the control plane: kill another node, after `up --nodes 2`.")
    with locked("cluster"):
        kubelet.kill(node)


def restore_node(name: str) -> None:
    """Start a killed node again; returns once it is Ready."""
    node = named(name)
    with locked("cluster"):
        kubelet.start(node)
        _wait_for_nodes([node])


def _running(wanted: list[Node]) -> bool:
    nodes_run = all(node.kubelet.pid() and containerd.answers(node) for node in wanted)
    return nodes_run and storage.process().pid() is not None and control_plane.answers()


def _start(nodes: list[Node]) -> None:
    fresh = not control_plane.keeps_objects()
    if fresh:
        say("starting the cluster")
        for node in known():
            kubelet.end_pods(node)
        _end_control_plane()
    network.prepare(nodes)
    containerd.start(FIRST, images.tools())
    images.provide(operator=True)
    control_plane.start_api_server()
    control_plane.start_controllers()
    for node in nodes:
        kubelet.start(node)
    kubeconfig = control_plane.kubeconfig()
    if fresh:
        apply(kubeconfig, storage.manifests())
        training_operator.install(kubeconfig)
    storage.start(kubeconfig)
    _wait_for_nodes(nodes)
    training_operator.wait(kubeconfig)
    say(f"{len(nodes)} node{'s' if len(nodes) > 1 else ''} ready")


def _end_control_plane() -> None:
    stop_all(_additions())
    control_plane.stop()
    storage.remove_volumes()
    shutil.rmtree(state() / "etcd", ignore_errors=True)
    control_plane.kubeconfig().unlink(missing_ok=True)


def _remove(node: Node) -> None:
    say(f"taking {node.name} away")
    kubelet.take_away(node)
    kubectl(control_plane.kubeconfig(), "delete", "node", node.name, "--ignore-not-found")
    pods = f"--field-selector=spec.nodeName={node.name}"
    kubectl(control_plane.kubeconfig(), "delete", "pods", "--all-namespaces", pods, "--force", "--grace-period=0")
    network.take_node_away(node)


def _wait_for_nodes(nodes: list[Node]) -> None:
    names = [f"node/{node.name}" for node in nodes]
    arguments = ("wait", "--for=condition=Ready", "--timeout=5s", *names)
    wait_until_succeeds(control_plane.kubeconfig(), *arguments, seconds=60, what=f"A kubelet (see {FIRST.kubelet.log})")
