"""Where everything lies: the project's cache, and in it the programs and the one cluster's state."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from local_cluster.errors import ClusterError
from local_cluster.progress import say

GO_FOLDERS = Path(__file__).resolve().parent.parent / "go"

# A unix socket's path has room for 107 bytes; the longest one made below the state folder needs this many.
_LONGEST_SOCKET = len("/node-1/kubelet/device-plugins/kubelet.sock")


def cache() -> Path:
    """The project's cache folder, absolute: `$TRAININGRUN_CACHE`, else `~/.cache/trainingrun`."""
    return Path(os.environ.get("TRAININGRUN_CACHE") or "~/.cache/trainingrun").expanduser().absolute()


def programs() -> Path:
    """The folder of the built programs, one folder each, named by content."""
    return cache() / "programs"


def state() -> Path:
    """The state folder of the cluster, made if missing; raises ClusterError where its path is too long for sockets."""
    folder = cache() / "cluster"
    if len(os.fsencode(folder)) + _LONGEST_SOCKET > 107:
        raise ClusterError(f"{folder} is too long a path for unix sockets: set TRAININGRUN_CACHE to a shorter folder.")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file unless it says just that: kube-proxy ends itself when its configuration is touched."""
    if path.exists() and path.read_text() == text:
        return
    path.touch(mode=mode)
    path.write_text(text)


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the machine-wide lock `name` of this cache, waiting for whoever has it; ends with its process."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / f".{name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another process that works on {name}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
