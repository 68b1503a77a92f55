"""Clusters for the tests of doctor: what it may have seen, one that is fit, and runs that need something of it."""

import json
from typing import Any

import trainingrun
from builders import a_training_run
from trainingrun.api.crd import schema
from trainingrun.commands.doctor.facts import Facts, Unseen
from trainingrun.commands.doctor.findings import Finding
from trainingrun.commands.doctor.installed import fields_of
from trainingrun.commands.doctor.needs import Needs, needs
from trainingrun.commands.doctor.surroundings import RIGHTS
from trainingrun.stages.context import Context
from trainingrun.stages.settings import Settings

FIELDS = frozenset(fields_of(schema()))
REFUSED = Unseen("You may not list it.")
Object = dict[str, Any]


def an_object(name: str, **parts: Any) -> Object:
    return {"metadata": {"name": name, "namespace": "team"}, **parts}


def a_deployment(name: str = "trainingrun", ready: int = 1, image: str = "r.example/x:1", **variables: str) -> Object:
    env = [{"name": f"TRAININGRUN_{key}", "value": value} for key, value in variables.items()]
    return {
        "metadata": {
            "name": name, "namespace": "system", "labels": {"app.kubernetes.io/version": trainingrun.__version__},
        },
        "spec": {"template": {"spec": {"containers": [{"image": image, "env": env}]}}},
        "status": {"availableReplicas": ready},
    }  # fmt: skip


def a_node(name: str, gpus: int = 8, ready: str = "True", taints: list[Object] | None = None, **other: str) -> Object:
    allocatable = {"cpu": "64", "memory": "512Gi", **({"nvidia.com/gpu": str(gpus)} if gpus else {})}
    return {
        "metadata": {"name": name, "labels": {"kind": "gpu" if gpus else "cpu"}},
        "spec": {"taints": taints or []},
        "status": {
            "allocatable": allocatable | {key.replace("__", "/"): value for key, value in other.items()},
            "conditions": [{"type": "Ready", "status": ready}],
        },
    }


def a_class(name: str, provisioner: str, default: bool = False) -> Object:
    annotations = {"storageclass.kubernetes.io/is-default-class": str(default).lower()}
    return {"metadata": {"name": name, "annotations": annotations}, "provisioner": provisioner}


def a_claim(mode: str = "ReadWriteMany", phase: str = "Bound") -> Object:
    status = {"phase": phase, "capacity": {"storage": "20Ti"}}
    return an_object("quickstart", spec={"accessModes": [mode]}, status=status)


def a_quota(used: dict[str, str] | None = None, **hard: str) -> Object:
    named = {key.replace("_", "."): value for key, value in hard.items()}
    return an_object("team", spec={"hard": named}, status={"used": used or {}})


def a_limit_range(**item: Any) -> Object:
    return an_object("limits", spec={"limits": [{"type": "Container", **item}]})


IMAGES = json.dumps({"pretrain": "r.example/nanotron:1", "sft": "r.example/axolotl@sha256:1"})
FIT = Facts(
    context="prod",
    namespace="team",
    version="v1.35.4",
    groups={"trainingrun.dev": ["v1alpha1"], "kubeflow.org": ["v1"], "scheduling.x-k8s.io": ["v1alpha1"]},
    run_fields=FIELDS,
    namespaces=[an_object("team")],
    operators=[a_deployment(IMAGES=IMAGES, IMAGE_PULL_SECRETS="registry")],
    training_operators=[a_deployment("training-operator", image="kubeflow/training-operator:v1.8.1")],
    pytorchjobs=True,
    classes=[a_class("shared", "nfs.csi.k8s.io", default=True)],
    claims=[a_claim()],
    nodes=[a_node("gpu-1", rdma__hca="8"), a_node("gpu-2", rdma__hca="8")],
    accounts=[an_object("default")],
    secrets={"registry": True},
    rights={one.right: True for one in RIGHTS},
)


def needs_of(**spec: Any) -> Needs:
    return needs(Context(a_training_run(**spec), Settings()))


def wants_gpus(nodes: int = 2, gpus: int = 8, **pretrain: Any) -> Needs:
    """The quickstart's pretraining on GPUs, with the parallelism that this makes, and nothing after it."""
    config = a_training_run().spec.pretrain.config
    sizes = {"dp": nodes * gpus, "tp": 1, "pp": 1}
    resources = {"requests": {"cpu": "32", "memory": "256Gi"}, "limits": {"memory": "256Gi"}}
    fields = {"nodes": nodes, "gpusPerNode": gpus, "resources": resources, "config": config | {"parallelism": sizes}}
    return needs_of(pretrain=fields | pretrain, variants=[], evaluate=None)


def faults(found: tuple[Finding, ...]) -> list[Finding]:
    return [one for one in found if one.level != "ok"]
