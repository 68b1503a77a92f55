"""What a node of the cluster is called and has: name, address, pod range, folders."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from local_cluster.errors import ClusterError
from local_cluster.paths import state
from local_cluster.processes import Process

POD_RANGE = "10.244.0.0/16"
MOST_NODES = 8


def cgroup_root() -> str:
    """The control group above all others of this state folder."""
    return f"trainingrun-{hashlib.sha256(bytes(state())).hexdigest()[:6]}"


@dataclass(frozen=True)
class Node:
    """The node of a number from 1 up. All of them are on this machine, each with its own containerd and kubelet."""

    number: int

    @property
    def name(self) -> str:
        """`node-1`, `node-2`, …"""
        return f"node-{self.number}"

    @property
    def address(self) -> str:
        """The node's IPv4 address, on the machine's bridge `node0`."""
        return f"10.89.0.{self.number}"

    @property
    def pod_range(self) -> str:
        """The addresses of its pods, as CIDR."""
        return f"10.244.{self.number - 1}.0/24"

    @property
    def folder(self) -> Path:
        """The node's part of the state folder."""
        return state() / self.name

    @property
    def cgroup(self) -> str:
        """The control group that all its containers are in, in every hierarchy."""
        return f"{cgroup_root()}/{self.name}"

    @property
    def containerd(self) -> Process:
        """Its containerd."""
        return Process(f"containerd-{self.number}", state())

    @property
    def kubelet(self) -> Process:
        """Its kubelet."""
        return Process(f"kubelet-{self.number}", state())

    @property
    def socket(self) -> Path:
        """The socket of its containerd."""
        return self.folder / "containerd.sock"

    @property
    def kubeconfig(self) -> Path:
        """Its kubelet's kubeconfig, there from the node's joining until it is taken away."""
        return self.folder / "kubeconfig"


FIRST = Node(1)


def known() -> list[Node]:
    """The nodes that have a folder, so perhaps something to clean, by number."""
    return [node for number in range(1, MOST_NODES + 1) if (node := Node(number)).folder.exists()]


def members() -> list[Node]:
    """The nodes that belong to the cluster, dead ones too, by number."""
    return [node for node in known() if node.kubeconfig.exists()]


def named(name: str) -> Node:
    """The member of this name; raises ClusterError where there is none."""
    for node in members():
        if node.name == name:
            return node
    there = ", ".join(node.name for node in members()) or "none at all"
    raise ClusterError(f"There is no node {name!r} in this cluster, which has {there}: start it with `up --nodes 2`.")
