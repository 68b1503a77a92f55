"""Kubeflow's training-operator with its webhook, from its own manifests, in an image of ours, hardened."""

import json
import os
from pathlib import Path

from local_cluster import images
from local_cluster.certificates import Authority
from local_cluster.kubectl import Manifest, apply, kubectl, wait_until_succeeds
from local_cluster.paths import state
from local_cluster.programs import built

_NAMESPACE = "kubeflow"
_SECRET = "training-operator-webhook-cert"
_CONFIGURATION = "training-operator-config"
_TRIES = 300  # about a second each: how long a worker waits for its master's name before it fails with exit code 3

# Replaces Kubeflow's template, whose loop around nslookup in alpine never ends where the image has no nslookup.
_INIT_CONTAINER = """\
- name: init-pytorch
  image: {{.InitContainerImage}}
  imagePullPolicy: IfNotPresent
  command: ["/wait-for-host", "{{.MasterAddr}}", "{{.MaxTries}}"]
  resources:
    requests: {cpu: 10m, memory: 16Mi}
    limits: {cpu: 100m, memory: 32Mi}
  securityContext:
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    capabilities: {drop: [ALL]}
    seccompProfile: {type: RuntimeDefault}
"""


def install(kubeconfig: Path, gang_scheduler: str = "") -> None:
    """Apply it; returns before it is ready. With the name of a gang scheduler it makes a PodGroup for each job."""
    folder = state() / "training-operator"
    folder.mkdir(exist_ok=True)
    standalone = built("training-operator") / "manifests" / "overlays" / "standalone"
    keys = _webhook_keys()
    for name in ("ca", _SECRET):
        for path in (keys.certificate(name), keys.key(name)):
            (folder / path.name).write_bytes(path.read_bytes())
    (folder / "initContainer.yaml").write_text(_INIT_CONTAINER)
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": _NAMESPACE,
        "resources": [os.path.relpath(standalone.resolve(), folder.resolve())],
        "images": [_image()],
        "configMapGenerator": [_generated(_CONFIGURATION, "create", ["initContainer.yaml"])],
        # Certificates from the start: the operator's own reach its pod only with the kubelet's next sync.
        "secretGenerator": [
            _generated(_SECRET, "merge", ["ca.crt", "ca.key", f"tls.crt={_SECRET}.crt", f"tls.key={_SECRET}.key"])
        ],
        "patches": [{"patch": json.dumps(_deployment(gang_scheduler))}, {"patch": json.dumps(_namespace())}],
    }
    (folder / "kustomization.yaml").write_text(json.dumps(kustomization, indent=1))
    apply(kubeconfig, kubectl(kubeconfig, "kustomize", folder))


def wait(kubeconfig: Path) -> None:
    """Return once its webhook has said yes to a PyTorchJob (that is not made), and no older one is at work."""
    kubectl(kubeconfig, "rollout", "status", "deployment/training-operator", "-n", _NAMESPACE, "--timeout=120s")
    pod = {"spec": {"containers": [{"name": "pytorch", "image": images.tools()}]}}
    job = {
        "apiVersion": "kubeflow.org/v1",
        "kind": "PyTorchJob",
        "metadata": {"name": "probe", "namespace": "default"},
        "spec": {"pytorchReplicaSpecs": {"Master": {"replicas": 1, "restartPolicy": "Never", "template": pod}}},
    }
    arguments = ("create", "--dry-run=server", "-f", "-")
    wait_until_succeeds(kubeconfig, *arguments, stdin=json.dumps(job), seconds=120, what="The training-operator")


def _webhook_keys() -> Authority:
    keys = Authority(state() / "webhook-pki")
    keys.prepare()
    host = f"training-operator.{_NAMESPACE}.svc"
    keys.sign(_SECRET, f"/CN={host}", f"DNS:{host}")
    return keys


def _image() -> dict[str, str]:
    name, _, tag = images.training_operator().rpartition(":")
    return {"name": "kubeflow/training-operator", "newName": name, "newTag": tag}


def _generated(name: str, behavior: str, files: list[str]) -> Manifest:
    return {"name": name, "behavior": behavior, "files": files, "options": {"disableNameSuffixHash": True}}


def _namespace() -> Manifest:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _NAMESPACE, "labels": labels}}


def _deployment(gang_scheduler: str) -> Manifest:
    container = {
        "name": "training-operator",
        "imagePullPolicy": "IfNotPresent",
        "args": [
            f"--pytorch-init-container-image={images.tools()}",
            "--pytorch-init-container-template-file=/etc/config/initContainer.yaml",
            f"--pytorch-init-container-max-tries={_TRIES}",
            *([f"--gang-scheduler-name={gang_scheduler}"] if gang_scheduler else []),
        ],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "512Mi"}},
        "readinessProbe": {"initialDelaySeconds": 0, "periodSeconds": 1},
        "securityContext": {
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [{"name": "config", "mountPath": "/etc/config", "readOnly": True}],
    }
    volume = {"name": "config", "configMap": {"name": _CONFIGURATION}}
    template = {"spec": {"containers": [container], "volumes": [volume]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "training-operator", "namespace": _NAMESPACE},
        # Never two at a time: they elect no leader, and one that knows of PodGroups must not meet one that doesn't.
        "spec": {"template": template, "strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}},
    }
