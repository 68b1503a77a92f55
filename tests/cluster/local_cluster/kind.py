"""kind, where a container engine answers. Written from kind's documentation; never run by the authors."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from local_cluster import gang_scheduling, images, storage, training_operator
from local_cluster.kubectl import apply, kubectl
from local_cluster.packages import install
from local_cluster.paths import state
from local_cluster.processes import stop_all
from local_cluster.programs import built
from local_cluster.shell import output, succeeds

_NAME = "trainingrun"


def engine_answers() -> bool:
    """Whether docker is here and its engine answers."""
    return succeeds(["docker", "info"], seconds=5)


def kubeconfig() -> Path:
    """The file kind writes its kubeconfig to."""
    return state() / "kind.kubeconfig"


def up(nodes: int | None) -> Path:
    """Create the cluster unless it is there, with the same additions as the one built from source."""
    install("openssl")
    if _NAME not in output([_kind(), "get", "clusters"]).split():
        storage.volumes().mkdir(parents=True, exist_ok=True)
        mounts = [{"hostPath": str(storage.volumes()), "containerPath": str(storage.volumes())}]
        roles = ["control-plane", *["worker"] * ((nodes or 1) - 1)]
        config = {
            "kind": "Cluster",
            "apiVersion": "kind.x-k8s.io/v1alpha4",
            "nodes": [{"role": role, "extraMounts": mounts} for role in roles],
        }
        names = ["--name", _NAME, "--kubeconfig", str(kubeconfig())]
        output([str(_kind()), "create", "cluster", *names, "--config", "-"], stdin=json.dumps(config))
        for write in (images.write_tools, images.write_training_operator):
            _load(write)
        kubectl(kubeconfig(), "delete", "storageclass", "standard", "--ignore-not-found")
        apply(kubeconfig(), storage.manifests())
        training_operator.install(kubeconfig())
    storage.start(kubeconfig())
    training_operator.wait(kubeconfig())
    return kubeconfig()


def down() -> None:
    """Delete the cluster."""
    stop_all([storage.process(), *gang_scheduling.processes()])
    output([_kind(), "delete", "cluster", "--name", _NAME])
    storage.remove_volumes()


def _kind() -> Path:
    return built("kind") / "kind"


def _load(write: Callable[[Path], None]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "image.tar"
        write(archive)
        output([_kind(), "load", "image-archive", archive, "--name", _NAME])
