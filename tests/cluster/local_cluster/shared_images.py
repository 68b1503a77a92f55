"""The first node's images on another node, in a moment and at no cost of disk.

What containerd has is two databases and two trees of files that never change once written: blobs, which are linked,
and unpacked layers, to which symbolic links point. A copy of an image through `ctr export | import` takes minutes.
"""

import os
import shutil
import signal
from pathlib import Path

from local_cluster.node import FIRST, Node

_BLOBS = "io.containerd.content.v1.content/blobs"
_LAYERS = "io.containerd.snapshotter.v1.overlayfs/snapshots"
_DATABASES = ("io.containerd.metadata.v1.bolt/meta.db", "io.containerd.snapshotter.v1.overlayfs/metadata.db")


def adopt(node: Node) -> None:
    """Give a node, whose containerd must not run, all that the first node's containerd has on record now.

    That is its containers too: they must be deleted before the kubelet's interface (CRI) of the node's containerd
    sees them.
    """
    source, target = _root(FIRST), _root(node)
    shutil.rmtree(target, ignore_errors=True)
    # A stopped writer leaves its databases as a power cut would, which is what bolt is made to survive.
    FIRST.containerd.signal(signal.SIGSTOP)
    try:
        for database in _DATABASES:
            (target / database).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / database, target / database)
        shutil.copytree(source / _BLOBS, target / _BLOBS, copy_function=os.link)
        (target / _LAYERS).mkdir(mode=0o700)
        for layer in (source / _LAYERS).iterdir():
            (target / _LAYERS / layer.name).symlink_to(layer)
    finally:
        FIRST.containerd.signal(signal.SIGCONT)


def _root(node: Node) -> Path:
    return node.folder / "containerd" / "root"
