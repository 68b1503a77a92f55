"""The cluster, whichever of the three ways it is had."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from local_cluster import control_plane, from_source, kind
from local_cluster.errors import ClusterError
from local_cluster.kubectl import kubectl
from local_cluster.node import members
from local_cluster.progress import say


@dataclass(frozen=True)
class Way:
    """A way to have a cluster: what it is, how it comes and goes, and the kubeconfig it has while it is up."""

    what: str
    up: Callable[[int | None], Path]
    down: Callable[[], None]
    kubeconfig: Callable[[], Path]


def _of_the_user() -> Path:
    return Path(os.environ["KUBECONFIG"].split(os.pathsep)[0])


def _check_the_users(_nodes: int | None) -> Path:
    kubectl(_of_the_user(), "get", "--raw", "/readyz")
    say("it needs a default StorageClass with ReadWriteMany and Kubeflow's training-operator v1.8.1: see the README")
    return _of_the_user()


def _leave_the_users() -> None:
    say("it is yours, so it stays")


USERS = Way("the cluster of $KUBECONFIG, used as it is", _check_the_users, _leave_the_users, _of_the_user)
KIND = Way("kind, in the container engine that answers here", kind.up, kind.down, kind.kubeconfig)
FROM_SOURCE = Way("a Kubernetes built from source", from_source.up, from_source.down, control_plane.kubeconfig)


def way() -> Way:
    """The user's own cluster where KUBECONFIG names one, else kind where it can be, else the one built here."""
    ours = {str(control_plane.kubeconfig()), str(kind.kubeconfig())}
    if os.environ.get("KUBECONFIG", "") not in {"", *ours}:
        return USERS
    if not members() and kind.engine_answers():
        return KIND
    return FROM_SOURCE


def up(nodes: int | None = None) -> Path:
    """Bring it up, or find that it is; `nodes` None keeps what it has. Returns the kubeconfig's file."""
    chosen = way()
    say(chosen.what)
    return chosen.up(nodes)


def down() -> None:
    """Take it away; the user's own stays."""
    way().down()


def kubeconfig() -> Path:
    """The kubeconfig's file of the cluster that is up; raises ClusterError where none is."""
    path = way().kubeconfig()
    if not path.exists():
        raise ClusterError(f"There is no cluster: {path} does not exist; run `cluster.py up`.")
    return path
