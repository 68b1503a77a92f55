"""The cluster's own small images, and having the same images on every node."""

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from local_cluster import containerd, oci_archive
from local_cluster.errors import ClusterError
from local_cluster.node import FIRST, Node
from local_cluster.programs import built, folder_of
from local_cluster.progress import duration, elapsed, say

_PREFIX = "localhost/trainingrun-cluster"


def _name(program: str) -> str:
    return f"{_PREFIX}/{program}:{folder_of(program).name.rpartition('-')[2]}"


def tools() -> str:
    """The name of the image with pause, wait-for-host and volume."""
    return _name("cluster-tools")


def training_operator() -> str:
    """The name of the training-operator's image."""
    return _name("training-operator")


def write_tools(target: Path) -> None:
    """Write the archive of the tools' image; it runs `pause` when nothing is said."""
    programs = {"cluster-tools": built("cluster-tools") / "cluster-tools"}
    links = {tool: "cluster-tools" for tool in ("pause", "wait-for-host", "volume")}
    oci_archive.write(target, tools(), programs, links, ["/pause"])


def write_training_operator(target: Path) -> None:
    """Write the archive of the training-operator's image, with its program where its manifest looks for it."""
    programs = {"manager": built("training-operator") / "manager"}
    oci_archive.write(target, training_operator(), programs, {}, ["/manager"])


def provide(node: Node, *, operator: bool) -> None:
    """Import what the node lacks of the tools' image, and of the training-operator's where `operator` is true."""
    wanted = {tools(): write_tools}
    if operator:
        wanted[training_operator()] = write_training_operator
    there = containerd.images(node)
    for name, write in wanted.items():
        if name not in there:
            with tempfile.TemporaryDirectory() as folder:
                archive = Path(folder) / "image.tar"
                write(archive)
                containerd.ctr(node, "images", "import", "--no-unpack=false", archive)


def synchronise(node: Node, wanted: Sequence[str]) -> None:
    """Copy those images from the first node that this one lacks, by name and digest; nothing for the first itself.

    Only what is asked for: a copy of every image with torch in it takes minutes and its own size again.
    """
    if node == FIRST:
        return
    here, there = containerd.images(FIRST), containerd.images(node)
    for name in wanted:
        if name not in here:
            raise ClusterError(f"{name} is not on {FIRST.name}: build it first, see images/build.py.")
        if there.get(name) != here[name]:
            _copy(name, node)


def _copy(name: str, node: Node) -> None:
    started = elapsed()
    export = containerd.command(FIRST, "images", "export", "--platform", "linux/amd64", "-", name)
    with subprocess.Popen(export, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as source:
        copied = subprocess.run(
            containerd.command(node, "images", "import", "--platform", "linux/amd64", "-"),
            stdin=source.stdout,
            capture_output=True,
            text=True,
            check=False,
        )
    if copied.returncode or source.returncode:
        raise ClusterError(f"Copying {name} to {node.name} failed, free some disk and try again: {copied.stderr}")
    say(f"copied {name} to {node.name} in {duration(elapsed() - started)}")
