"""The default StorageClass: a real local-path-provisioner, one shared folder, so ReadWriteMany works on all nodes."""

import json
import shutil
from pathlib import Path

from local_cluster import images
from local_cluster.kubectl import Manifest
from local_cluster.paths import state
from local_cluster.processes import Process
from local_cluster.programs import built

_NAMESPACE = "local-path-storage"


def process() -> Process:
    """The provisioner, a process of this machine; its helper pods make and remove the folders."""
    return Process("local-path-provisioner", state())


def volumes() -> Path:
    """The folder that the volumes are in, `PV_NAMESPACE_CLAIM` each, the same on every node."""
    return state() / "volumes"


def manifests() -> list[Manifest]:
    """The namespace of the helper pods, and the class: bound at once, as shared file systems are."""
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _NAMESPACE}},
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {
                "name": "local-path",
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": "rancher.io/local-path",
            "volumeBindingMode": "Immediate",
            "reclaimPolicy": "Delete",
        },
    ]


def start(kubeconfig: Path) -> None:
    """Start the provisioner unless it runs."""
    folder = state() / "storage"
    folder.mkdir(exist_ok=True)
    volumes().mkdir(exist_ok=True)
    configuration = {
        "sharedFileSystemPath": str(volumes()),
        "setupCommand": "/volume",
        "teardownCommand": "/volume",
        "cmdTimeoutSeconds": 120,
    }
    (folder / "config.json").write_text(json.dumps(configuration))
    (folder / "helper-pod.json").write_text(json.dumps(_helper_pod()))
    process().start(
        [
            built("local-path-provisioner") / "local-path-provisioner",
            "start",
            f"--kubeconfig={kubeconfig}",
            f"--config={folder}/config.json",
            f"--helper-pod-file={folder}/helper-pod.json",
            f"--helper-image={images.tools()}",
            f"--namespace={_NAMESPACE}",
            "--service-account-name=default",
            "--deletion-retry-count=0",
            "--provisioning-retry-count=0",
        ]
    )


def remove_volumes() -> None:
    """Remove every volume's content."""
    shutil.rmtree(volumes(), ignore_errors=True)


def _helper_pod() -> Manifest:
    container = {
        "name": "helper-pod",
        "image": images.tools(),
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {"runAsUser": 0, "runAsGroup": 0},  # the folder above the volumes is root's
    }
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0, "automountServiceAccountToken": False}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "helper-pod"}, "spec": spec}
