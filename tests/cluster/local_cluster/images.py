"""The cluster's own small images, and having the same images on every node."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from local_cluster import containerd, oci_archive
from local_cluster.errors import ClusterError
from local_cluster.node import FIRST, Node
from local_cluster.programs import built, folder_of

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


def provide(*, operator: bool) -> None:
    """Import what the first node lacks of the tools' image, and of the training-operator's with `operator`."""
    wanted = {tools(): write_tools}
    if operator:
        wanted[training_operator()] = write_training_operator
    there = containerd.images(FIRST)
    for name, write in wanted.items():
        if name not in there:
            with tempfile.TemporaryDirectory() as folder:
                archive = Path(folder) / "image.tar"
                write(archive)
                containerd.ctr(FIRST, "images", "import", archive)


def current(node: Node, wanted: Sequence[str]) -> bool:
    """Whether a node has these of the first node's images, all of them where none is named, by name and digest."""
    here, there = containerd.images(FIRST), containerd.images(node)
    for name in wanted:
        if name not in here:
            raise ClusterError(f"{name} is not on {FIRST.name}: build it first, see images/build.py.")
    return all(there.get(name) == here[name] for name in wanted or here)
