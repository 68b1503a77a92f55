"""The pod template of every stage: Pod Security `restricted`, a read-only root, the volume, the input, a token."""

from dataclasses import dataclass, field
from typing import Any, Final

from trainingrun.api import names
from trainingrun.api.data import Placement, Resources
from trainingrun.manifests.meta import Child, Manifest
from trainingrun_workers import contract

WORKER_CONTAINER: Final = "worker"

# Everything that libraries want to write lies under /tmp, since the root is read-only. Nothing is told to a service
# unless the installation's own environment says otherwise.
ENVIRONMENT: Final = {
    "HOME": "/tmp/home",
    "TMPDIR": "/tmp",
    "XDG_CACHE_HOME": "/tmp/cache",
    "HF_HOME": "/tmp/huggingface",
    "PYTHONUNBUFFERED": "1",
    "WANDB_MODE": "disabled",
    contract.VOLUME_VARIABLE: names.VOLUME_MOUNT,
    contract.INPUT_VARIABLE: f"{names.INPUT_MOUNT}/{names.INPUT_FILE}",
}


@dataclass(frozen=True)
class PodPlan:
    """What differs between the pods of stages."""

    child: Child
    kind: str  # the stage's kind: the worker's only argument
    image: str
    claim: str
    placement: Placement
    command: tuple[str, ...] = ()  # in place of the image's own
    args: tuple[str, ...] | None = None  # in place of the kind; the image's own where there are none
    container: str = WORKER_CONTAINER
    gpus: int = 0
    gpu_resource: str = "nvidia.com/gpu"
    devices: dict[str, int] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()  # Secrets in the run's namespace whose keys become environment variables
    grace_seconds: int = 30
    shm_size: str | None = None
    avoided_nodes: tuple[str, ...] = ()
    scheduler_name: str | None = None  # the cluster's own where it is None


@dataclass(frozen=True)
class PodDefaults:
    """What the installation decides for all pods."""

    image_pull_policy: str
    image_pull_secrets: tuple[str, ...]
    service_account: str
    token_seconds: int
    run_as_user: int
    run_as_group: int
    fs_group: int | None
    runtime_class_name: str | None
    node_selector: dict[str, str]
    tolerations: tuple[Manifest, ...]
    affinity: Manifest
    priority_class_name: str | None
    labels: dict[str, str]
    annotations: dict[str, str]
    environment: dict[str, str]
    default_resources: dict[str, Any]


def pod_template(plan: PodPlan, defaults: PodDefaults) -> Manifest:
    """The template of a stage's pods, never restarted by the kubelet: a restart is a new attempt."""
    spec: Manifest = {
        "restartPolicy": "Never",
        "serviceAccountName": defaults.service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": plan.grace_seconds,
        "securityContext": _pod_security(defaults),
        "containers": [_container(plan, defaults)],
        "volumes": _volumes(plan, defaults),
    }
    optional = {
        "imagePullSecrets": [{"name": name} for name in defaults.image_pull_secrets],
        "nodeSelector": {**defaults.node_selector, **plan.placement.node_selector},
        "tolerations": _tolerations(plan.placement, defaults),
        "priorityClassName": plan.placement.priority_class_name or defaults.priority_class_name,
        "runtimeClassName": defaults.runtime_class_name,
        "schedulerName": plan.scheduler_name,
        "affinity": _affinity(defaults.affinity, plan.avoided_nodes),
    }
    spec.update({key: value for key, value in optional.items() if value})
    metadata: Manifest = {"labels": {**defaults.labels, **plan.child.labels}}
    if defaults.annotations:
        metadata["annotations"] = dict(defaults.annotations)
    return {"metadata": metadata, "spec": spec}


def _tolerations(placement: Placement, defaults: PodDefaults) -> list[Manifest]:
    """The run's own, and those of the installation that it does not name itself."""
    own = [one.model_dump(by_alias=True, exclude_none=True) for one in placement.tolerations]
    return own + [one for one in defaults.tolerations if one not in own]


def _affinity(default: Manifest, avoided: tuple[str, ...]) -> Manifest:
    """The installation's affinity, and every node but these, by name: the label kubernetes.io/hostname may differ."""
    if not avoided:
        return default
    # The API takes one value in each requirement about a field.
    fields = [{"key": "metadata.name", "operator": "NotIn", "values": [node]} for node in avoided]
    nodes = default.get("nodeAffinity") or {}
    required = nodes.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    # A node must meet one of the terms: each of them has to keep away.
    terms: list[Manifest] = [
        {**term, "matchFields": [*(term.get("matchFields") or ()), *fields]}
        for term in required.get("nodeSelectorTerms") or [{}]
    ]
    kept = {**nodes, "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    return {**default, "nodeAffinity": kept}


def _pod_security(defaults: PodDefaults) -> Manifest:
    context: Manifest = {
        "runAsNonRoot": True,
        "runAsUser": defaults.run_as_user,
        "runAsGroup": defaults.run_as_group,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if defaults.fs_group is not None:
        # OnRootMismatch: a volume with a million files must not be walked at each start.
        context |= {"fsGroup": defaults.fs_group, "fsGroupChangePolicy": "OnRootMismatch"}
    return context


def _container(plan: PodPlan, defaults: PodDefaults) -> Manifest:
    environment = {**ENVIRONMENT, **defaults.environment, **plan.environment}
    # By reference alone: the kubelet reads them, the operator never does. A variable of `env` stands before theirs.
    secrets: Manifest = {"envFrom": [{"secretRef": {"name": name}} for name in plan.secrets]} if plan.secrets else {}
    command: Manifest = {"command": list(plan.command)} if plan.command else {}
    given = (plan.kind,) if plan.args is None else plan.args
    args: Manifest = {"args": list(given)} if given else {}
    return (
        secrets
        | command
        | args
        | {
            "name": plan.container,
            "image": plan.image,
            "imagePullPolicy": defaults.image_pull_policy,
            "env": [
                *({"name": name, "value": value} for name, value in sorted(environment.items())),
                {"name": contract.NODE_VARIABLE, "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            ],
            "resources": _resources(plan, defaults),
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
            "terminationMessagePath": contract.TERMINATION_LOG,
            "volumeMounts": [
                {"name": "volume", "mountPath": names.VOLUME_MOUNT},
                {"name": "input", "mountPath": names.INPUT_MOUNT, "readOnly": True},
                {"name": "token", "mountPath": names.TOKEN_MOUNT, "readOnly": True},
                {"name": "tmp", "mountPath": "/tmp"},
                {"name": "shm", "mountPath": "/dev/shm"},
            ],
        }
    )


def _resources(plan: PodPlan, defaults: PodDefaults) -> Manifest:
    devices = {name: str(count) for name, count in plan.devices.items()}
    if plan.gpus:
        devices[plan.gpu_resource] = str(plan.gpus)
    found = container_resources(plan.placement.resources, defaults.default_resources)
    return {key: {**value, **devices} for key, value in found.items() if value or devices}


def container_resources(own: Resources, default: Manifest) -> dict[str, dict[str, str]]:
    """Requests and limits of a stage's container, devices aside: the run's, or the installation's where it has none."""
    if own.requests or own.limits:
        return {"requests": own.requests, "limits": own.limits}
    return {"requests": default.get("requests", {}), "limits": default.get("limits", {})}


def _volumes(plan: PodPlan, defaults: PodDefaults) -> list[Manifest]:
    token = {
        "serviceAccountToken": {
            "audience": names.TOKEN_AUDIENCE,
            "expirationSeconds": defaults.token_seconds,
            "path": names.TOKEN_FILE,
        }
    }
    shm: Manifest = {"medium": "Memory"}
    if plan.shm_size:
        shm["sizeLimit"] = plan.shm_size
    return [
        {"name": "volume", "persistentVolumeClaim": {"claimName": plan.claim}},
        {"name": "input", "configMap": {"name": plan.child.name}},
        {"name": "token", "projected": {"sources": [token]}},
        {"name": "tmp", "emptyDir": {}},
        {"name": "shm", "emptyDir": shm},
    ]
