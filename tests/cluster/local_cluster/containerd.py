"""containerd of a node: Debian's, with all its state in the node's folder. Its images outlive the cluster."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from local_cluster import cgroups, mounts, shared_images
from local_cluster.node import FIRST, Node
from local_cluster.processes import kill_pids
from local_cluster.shell import output, succeeds

_CRI = "io.containerd.grpc.v1.cri"
_NAMESPACE = "k8s.io"  # the one that the kubelet's pods and images are in


def command(node: Node, *arguments: str | Path) -> list[str]:
    """The command line of `ctr` for this node."""
    return ["ctr", "--address", str(node.socket), "--namespace", _NAMESPACE, *map(str, arguments)]


def ctr(node: Node, *arguments: str | Path) -> str:
    """What `ctr` printed; raises ClusterError where it fails."""
    return output(command(node, *arguments))


def images(node: Node) -> dict[str, str]:
    """The images of the node: name -> digest."""
    rows = ctr(node, "images", "list").splitlines()[1:]
    return {fields[0]: fields[2] for row in rows if len(fields := row.split()) > 2}


def answers(node: Node) -> bool:
    """Whether it runs and answers, given half a minute: a busy machine is no reason to end what runs in it."""
    return node.containerd.pid() is not None and succeeds(command(node, "version"), seconds=30)


def start(node: Node, pause_image: str) -> None:
    """Start it unless it runs, with the first node's images; what a killed one left behind goes first."""
    if answers(node):
        return
    end(node)
    if node != FIRST:
        shared_images.adopt(node)
    # Containers of before are on record still, the kubelet would look for them in vain, and those of another node
    # must not be touched: so they are struck off before the kubelet's interface (CRI) begins to work on them.
    _launch(node, pause_image, disabled=f'"{_CRI}"')
    names = ctr(node, "containers", "list", "--quiet").split()
    if names:
        ctr(node, "containers", "delete", *names)
    node.containerd.stop()
    _launch(node, pause_image, disabled="")


def end(node: Node) -> None:
    """End it with all its containers, their shims and mounts, whether it runs or was killed."""
    node.containerd.stop()
    shims = list(_shims(node))
    kill_pids([*_children(shims), *shims])
    cgroups.end(node.cgroup)
    mounts.unmount_below(node.folder)
    node.socket.unlink(missing_ok=True)
    for rest in ("containerd/state", "runc", "ipam", "cni"):
        shutil.rmtree(node.folder / rest, ignore_errors=True)


def _launch(node: Node, pause_image: str, disabled: str) -> None:
    _write_configuration(node, pause_image, disabled)
    node.containerd.start(["containerd", "--config", node.folder / "containerd.toml"])
    node.containerd.wait_until(lambda: succeeds(command(node, "version")), seconds=30)


def _write_configuration(node: Node, pause_image: str, disabled: str) -> None:
    network = {
        "cniVersion": "1.0.0",
        "name": "pods",
        # A routed pair of devices for each pod, no bridge: nothing that passes between pods escapes kube-proxy.
        "plugins": [
            {
                "type": "ptp",
                "ipam": {
                    "type": "host-local",
                    "dataDir": str(node.folder / "ipam"),
                    "ranges": [[{"subnet": node.pod_range}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            }
        ],
    }
    (node.folder / "cni").mkdir(parents=True, exist_ok=True)
    (node.folder / "cni" / "10-pods.conflist").write_text(json.dumps(network))
    (node.folder / "containerd.toml").write_text(
        f"""version = 2
root = "{node.folder}/containerd/root"
state = "{node.folder}/containerd/state"
disabled_plugins = [{disabled}]
[grpc]
address = "{node.socket}"
[plugins."io.containerd.internal.v1.opt"]
path = "{node.folder}/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause_image}"
restrict_oom_score_adj = true  # for machines without CAP_SYS_RESOURCE
disable_apparmor = true
netns_mounts_under_state_dir = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{node.folder}/cni"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
Root = "{node.folder}/runc"
"""
    )


def _shims(node: Node) -> Iterator[int]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            argv = (folder / "cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if b"containerd-shim" in os.path.basename(argv[0]) and os.fsencode(node.socket) in argv:
            yield int(folder.name)


def _children(parents: list[int]) -> Iterator[int]:
    for parent in parents:
        for tasks in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                yield from map(int, tasks.read_text().split())
            except (FileNotFoundError, ProcessLookupError):
                continue
