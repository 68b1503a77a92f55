"""Getting files onto a claim and off it again, through pods that Pod Security `restricted` admits."""

import subprocess
import tarfile
from pathlib import Path
from typing import Any

from e2e import installation
from e2e.installation import apply, kubectl, wait_until

SECURITY = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def claim(name: str, namespace: str, size: str = "4Gi", mode: str = "ReadWriteMany") -> dict[str, Any]:
    """A claim of the default StorageClass."""
    spec = {"accessModes": [mode], "resources": {"requests": {"storage": size}}}
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def visitor(name: str, namespace: str, claim_name: str, image: str, command: list[str]) -> dict[str, Any]:
    """A pod with the claim at /volume."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "runAsGroup": 65532,
                "fsGroup": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "visitor",
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "command": command,
                    "securityContext": SECURITY,
                    "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
                    "volumeMounts": [{"name": "volume", "mountPath": "/volume"}],
                }
            ],
            "volumes": [{"name": "volume", "persistentVolumeClaim": {"claimName": claim_name}}],
        },
    }


class Visit:
    """A running pod on a claim: shell commands on the volume, files off it."""

    def __init__(self, namespace: str, claim_name: str, image: str, name: str = "visitor") -> None:
        """Start the pod and wait for it; one that is already there is used."""
        self.namespace, self.name = namespace, name
        apply(visitor(name, namespace, claim_name, image, ["sleep", "infinity"]))
        kubectl("wait", "-n", namespace, f"pod/{name}", "--for=condition=Ready", "--timeout=120s", timeout=150)

    def sh(self, script: str) -> str:
        """What a shell prints that runs on the volume."""
        return kubectl("exec", "-n", self.namespace, self.name, "--", "sh", "-ec", f"cd /volume; {script}")

    def fetch(self, folder: str, target: Path) -> None:
        """Copy a folder of the volume into `target`."""
        target.mkdir(parents=True, exist_ok=True)
        command = [
            "kubectl",
            "exec",
            "-n",
            self.namespace,
            self.name,
            "--",
            "tar",
            "-C",
            f"/volume/{folder}",
            "-cf",
            "-",
            ".",
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=installation.environment()) as process:
            with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
                archive.extractall(target, filter="data")
        if process.returncode != 0:
            raise installation.CommandError(f"{folder} could not be copied off the volume.")

    def put(self, source: Path, folder: str) -> None:
        """Copy what is in a local folder into a folder of the volume."""
        self.sh(f"mkdir -p {folder}")
        unpack = ["kubectl", "exec", "-i", "-n", self.namespace, self.name, "--", "tar", "-C", f"/volume/{folder}"]
        with subprocess.Popen([*unpack, "-xf", "-"], stdin=subprocess.PIPE, env=installation.environment()) as process:
            with tarfile.open(fileobj=process.stdin, mode="w|", dereference=True) as archive:
                archive.add(source, ".")
            assert process.stdin is not None
            process.stdin.close()
        if process.returncode != 0:
            raise installation.CommandError(f"{source} could not be copied onto the volume.")

    def close(self) -> None:
        """Delete the pod."""
        kubectl("delete", "pod", "-n", self.namespace, self.name, "--wait=false", "--ignore-not-found")


def fill(namespace: str, claim_name: str, image: str, name: str = "fill") -> None:
    """Put the quickstart's data onto the claim, once, with a pod of that name."""
    phase = ["get", "pod", "-n", namespace, name, "--ignore-not-found", "-o", "jsonpath={.status.phase}"]
    if kubectl(*phase) == "Succeeded":
        return
    kubectl("delete", "pod", "-n", namespace, name, "--ignore-not-found", timeout=60)
    apply(visitor(name, namespace, claim_name, image, ["sh", "-ec", "cp -r /data/. /volume/"]))
    wait_until("the quickstart's data lie on the volume", lambda: kubectl(*phase) == "Succeeded", 120)
