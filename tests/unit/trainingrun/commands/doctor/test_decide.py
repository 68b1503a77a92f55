"""Whether a cluster is fit follows from what was seen of it: each fault is one line with its mend, by a table."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

import trainingrun
from doctor_cases import (
    FIELDS,
    FIT,
    IMAGES,
    REFUSED,
    Object,
    a_claim,
    a_class,
    a_deployment,
    a_limit_range,
    a_node,
    a_quota,
    an_object,
    faults,
    needs_of,
    wants_gpus,
)
from trainingrun.commands.doctor.decide import decide
from trainingrun.commands.doctor.facts import Right
from trainingrun.commands.doctor.needs import Needs
from trainingrun.commands.doctor.surroundings import RIGHTS


def test_a_cluster_that_has_everything_is_fit() -> None:
    assert faults(decide(FIT)) == []
    assert {one.check for one in decide(FIT)} == {
        "kubernetes", "clock", "rights", "definition", "operator", "images", "pytorchjob", "namespace", "quota",
        "storage", "nodes", "rdma", "scheduler",
    }  # fmt: skip


def test_a_run_that_the_cluster_has_room_for_finds_no_fault() -> None:
    assert faults(decide(FIT, wants_gpus())) == []


# What is other than in a fit cluster, then level, check and words of the only fault that is found.
WITHOUT_A_RUN: list[tuple[dict[str, Any], str, str, str]] = [
    ({"version": "v1.29.3"}, "fail", "kubernetes", "v1.29.3, and the chart needs 1.30"),
    ({"version": ""}, "warn", "kubernetes", "says its version is ''"),
    ({"clock_seconds": 300.0}, "fail", "clock", "300 s ahead of the API server's: tokens"),
    ({"clock_seconds": -20.0}, "warn", "clock", "20 s behind the API server's: ages"),
    ({"clock_seconds": REFUSED}, "warn", "clock", "can't be seen"),
    ({"groups": {"scheduling.x-k8s.io": []}}, "fail", "definition", "knows no TrainingRun"),
    (
        {"groups": {"trainingrun.dev": ["v1"], "kueue.x-k8s.io": []}},
        "fail", "definition", "serves TrainingRun as v1, and this command knows v1alpha1",
    ),
    ({"run_fields": FIELDS - {"spec.judge"}}, "fail", "definition", "lacks spec.judge, which this command"),
    ({"run_fields": FIELDS | {"spec.newer"}}, "warn", "definition", "has spec.newer, which this command"),
    ({"run_fields": REFUSED}, "warn", "definition", "its fields can't be seen: You may not list it."),
    ({"operators": REFUSED}, "warn", "operator", "can't be seen: You may not list it."),
    ({"operators": []}, "fail", "operator", "No operator is installed."),
    ({"operators": [a_deployment(ready=0, IMAGES=IMAGES)]}, "fail", "operator", "has no pod that is ready"),
    (
        {"operators": [a_deployment(IMAGES=IMAGES, NAMESPACES="other,third")]},
        "fail", "operator", "looks at other, third, not at namespace team",
    ),
    ({"operators": [a_deployment(IMAGES='{"sft": "r.example/x:latest"}')]}, "warn", "images", "sft r.example/x:latest"),
    ({"operators": [a_deployment(IMAGES='{"sft": "r.example/x"}')]}, "warn", "images", "Without a tag"),
    ({"secrets": {"registry": False}}, "fail", "images", "pull secret registry, which the chart names, is not in"),
    ({"secrets": {"registry": REFUSED}}, "warn", "images", "Whether the pull secret registry is there can't be seen"),
    ({"pytorchjobs": False}, "fail", "pytorchjob", "knows no PyTorchJob of kubeflow.org/v1"),
    ({"training_operators": []}, "warn", "pytorchjob", "no Deployment has the label of their controller"),
    ({"training_operators": REFUSED}, "warn", "pytorchjob", "their controller can't be seen"),
    ({"training_operators": [a_deployment("t", 0, "t:v1.8.1")]}, "fail", "pytorchjob", "system/t has no pod"),
    ({"training_operators": [a_deployment("t", 1, "t:v1.3.0")]}, "warn", "pytorchjob", "none of the versions"),
    ({"namespaces": []}, "fail", "namespace", "There is no namespace team"),
    ({"namespaces": REFUSED}, "warn", "namespace", "Namespace team can't be seen"),
    ({"accounts": []}, "fail", "namespace", "ServiceAccount default is not in namespace team"),
    ({"quotas": REFUSED}, "warn", "quota", "can't be seen"),
    ({"quotas": [a_quota(pods="0")]}, "warn", "quota", "team allows none of pods (0 of 0)"),
    ({"quotas": [a_quota({"pods": "5"}, pods="5")]}, "warn", "quota", "team is used up for pods (5 of 5)"),
    ({"limit_ranges": REFUSED}, "warn", "limit range", "can't be seen"),
    ({"limit_ranges": [a_limit_range(default={"memory": "1Gi"})]}, "warn", "limit range", "limits stages to 1Gi"),
    ({"classes": [], "claims": []}, "fail", "storage", "There is no StorageClass and no claim."),
    ({"classes": REFUSED, "claims": []}, "warn", "storage", "StorageClasses can't be seen"),
    ({"classes": [a_class("disk", "ebs.csi.aws.com")]}, "warn", "storage", "volumes for one node at a time"),
    ({"classes": [a_class("own", "example.com/disk")]}, "warn", "storage", "may or may not have ReadWriteMany"),
    ({"nodes": REFUSED}, "warn", "nodes", "Nodes can't be seen"),
    ({"nodes": [a_node("cpu-1", 0)]}, "fail", "nodes", "None of 1 nodes offers nvidia.com/gpu"),
    ({"nodes": [*FIT.nodes, a_node("g", ready="False")]}, "warn", "nodes", "not ready or cordoned: g"),  # type: ignore[misc]
    (
        {"nodes": [a_node("g", taints=[{"key": "gpu", "value": "a", "effect": "NoSchedule"}], rdma__hca="1")]},
        "warn", "nodes", "Nodes with GPUs have taints: gpu=a:NoSchedule",
    ),
    ({"nodes": [a_node("g")]}, "warn", "rdma", "offer no RDMA device: gangs of several nodes train over TCP"),
    ({"groups": {"trainingrun.dev": ["v1alpha1"]}}, "warn", "scheduler", "Nothing here schedules whole gangs"),
]  # fmt: skip


@pytest.mark.parametrize(("other", "level", "check", "words"), WITHOUT_A_RUN)
def test_each_fault_is_one_line_with_its_mend(other: dict[str, Any], level: str, check: str, words: str) -> None:
    (found,) = faults(decide(dataclasses.replace(FIT, **other)))
    assert (found.level, found.check) == (level, check)
    assert words in found.message
    assert found.mend.endswith(".")


WITH_A_RUN: list[tuple[dict[str, Any], Callable[[], Needs], str, str, str]] = [
    ({}, lambda: wants_gpus(nodes=3), "fail", "room", "room for 2 on the 2 nodes that it may use"),
    (
        {}, lambda: wants_gpus(nodeSelector={"kind": "tpu"}),
        "fail", "room", "but no ready node has its labels and tolerated taints",
    ),
    ({"nodes": [a_node("g", 4), a_node("h", 4)]}, wants_gpus, "fail", "room", "Stage pretrain wants 2 pods with"),
    (
        {}, lambda: wants_gpus(network={"profile": "infiniband", "resources": {"rdma/ib": 1}}),
        "fail", "rdma", "asks for rdma/ib, which no node offers: they offer rdma/hca",
    ),
    (
        {}, lambda: wants_gpus(network={"profile": "infiniband"}),
        "warn", "rdma", "An RDMA network, but no device is asked for by pretrain: nodes offer rdma/hca",
    ),
    (
        {"quotas": [an_object("team", spec={"hard": {"requests.nvidia.com/gpu": "8"}})]},
        wants_gpus, "fail", "quota", "team allows 8 requests.nvidia.com/gpu, but stage pretrain wants 16",
    ),
    (
        {"quotas": [an_object("team", spec={"hard": {"requests.nvidia.com/gpu": "16"}},
                              status={"used": {"requests.nvidia.com/gpu": "8"}})]},
        wants_gpus, "warn", "quota", "has 8 of 16 requests.nvidia.com/gpu left, but stage pretrain wants 16",
    ),
    ({"quotas": [a_quota(limits_cpu="100")]}, wants_gpus, "fail", "quota", "counts limits.cpu, but pods of tokenize"),
    ({"quotas": [a_quota(pods="1")]}, wants_gpus, "fail", "quota", "allows 1 pods, but stage tokenize wants 2"),
    (
        {"quotas": [an_object("team", spec={"hard": {"pods": "1"}, "scopes": ["BestEffort"]})]}, wants_gpus,
        "warn", "quota", "is for some pods only",
    ),
    (
        {"limit_ranges": [a_limit_range(max={"memory": "128Gi"})]}, wants_gpus,
        "fail", "limit range", "allows a container 128Gi memory, but pretrain ask for more",
    ),
    ({"claims": []}, wants_gpus, "fail", "storage", "There is no claim quickstart in namespace team; there are: none"),
    ({"claims": REFUSED}, wants_gpus, "warn", "storage", "The claim quickstart can't be seen"),
    (
        {"claims": [a_claim("ReadWriteOnce")]}, wants_gpus,
        "fail", "storage", "claim quickstart is ReadWriteOnce, but stages have several pods",
    ),
    ({"claims": [a_claim(phase="Lost")]}, wants_gpus, "fail", "storage", "The volume of claim quickstart is gone"),
    (
        {"classes": []}, lambda: needs_of(storage={"claim": {"size": "1Ti"}}),
        "fail", "storage", "names no StorageClass, and the cluster has no default one",
    ),
    (
        {}, lambda: needs_of(storage={"claim": {"size": "1Ti", "storageClassName": "fast"}}),
        "fail", "storage", "There is no StorageClass fast; there are: shared",
    ),
    (
        {"limit_ranges": [an_object("l", spec={"limits": [
            {"type": "PersistentVolumeClaim", "max": {"storage": "100Gi"}}]})]},
        lambda: needs_of(storage={"claim": {"size": "1Ti"}}),
        "fail", "limit range", "allows claims of 100Gi, but the run's is 1,024Gi",
    ),
    (
        {}, lambda: needs_of(scheduling={"queueName": "gpus"}), "fail", "scheduler", "queue gpus, but Kueue is not",
    ),
    (
        {"groups": {**FIT.groups, "kueue.x-k8s.io": []}, "queues": [an_object("cpu")]},
        lambda: needs_of(scheduling={"queueName": "gpus"}),
        "fail", "scheduler", "There is no LocalQueue gpus in namespace team; there are: cpu",
    ),
    (
        {"groups": {"trainingrun.dev": ["v1alpha1"]}}, lambda: needs_of(scheduling={"schedulerName": "gang"}),
        "warn", "scheduler", "names the scheduler gang, but no PodGroup or queue is known",
    ),
    (
        {}, lambda: needs_of(data=[{"name": "web", "path": "hf://datasets/a/b", "secretName": "hub"}]),
        "warn", "secrets", "Whether Secret hub is there can't be seen",
    ),
    (
        {"secrets": {"registry": True, "hub": False}},
        lambda: needs_of(data=[{"name": "web", "path": "hf://datasets/a/b", "secretName": "hub"}]),
        "fail", "secrets", "names Secret hub, which is not in namespace team",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("other", "wanted", "level", "check", "words"), WITH_A_RUN)
def test_what_a_run_needs_and_the_cluster_lacks_is_told(
    other: dict[str, Any], wanted: Callable[[], Needs], level: str, check: str, words: str
) -> None:
    found = faults(decide(dataclasses.replace(FIT, **other), wanted()))
    (told,) = [one for one in found if words in one.message]
    assert (told.level, told.check) == (level, check)
    assert told.mend.endswith(".")


def test_a_limit_range_with_defaults_makes_up_for_pods_that_name_nothing() -> None:
    quotas = [a_quota(limits_cpu="100", requests_cpu="1000")]
    defaults = [a_limit_range(default={"cpu": "1"})]
    found = faults(decide(dataclasses.replace(FIT, quotas=quotas, limit_ranges=defaults), wants_gpus()))
    assert found == []


@pytest.mark.parametrize(
    ("toleration", "fits"),
    [
        ({"key": "gpu", "operator": "Exists"}, True),
        ({"operator": "Exists"}, True),
        ({"key": "gpu", "value": "a"}, True),
        ({"key": "gpu", "value": "b"}, False),
        ({"key": "gpu", "operator": "Exists", "effect": "NoExecute"}, False),
    ],
)
def test_a_gang_has_room_only_where_it_tolerates_the_taints(toleration: Object, fits: bool) -> None:
    taints = [{"key": "gpu", "value": "a", "effect": "NoSchedule"}]
    tainted = [a_node("g", taints=taints), a_node("h", taints=taints), a_node("c", 0)]
    found = decide(dataclasses.replace(FIT, nodes=tainted), wants_gpus(tolerations=[toleration]))
    lacking = [one for one in found if one.check == "room" and "Stage pretrain" in one.message]
    assert bool(lacking) != fits


def test_rights_that_lack_are_told_by_what_they_are_for() -> None:
    may = {one.right: True for one in RIGHTS}
    may |= {Right("list", "pods"): False, Right("get", "pods", subresource="log"): False}
    may |= {Right("list", "nodes", everywhere=True): False}
    found = faults(decide(dataclasses.replace(FIT, rights=may)))
    assert [(one.level, one.message) for one in found] == [
        ("fail", "You may not list pods, get pods/log in namespace team, for logs."),
        ("warn", "You may not list nodes in the whole cluster, for doctor."),
    ]


@pytest.mark.parametrize(("hard", "wrong"), [("1e3", False), ("1k", False), ("0", True), ("1e0", True)])
def test_quantities_are_read_in_every_spelling(hard: str, wrong: bool) -> None:
    quota = an_object("team", spec={"hard": {"pods": hard}}, status={"used": {"pods": "1"}})
    assert bool(faults(decide(dataclasses.replace(FIT, quotas=[quota])))) == wrong


def test_two_operators_in_one_cluster_are_worth_a_look() -> None:
    twice = [a_deployment(IMAGES=IMAGES), a_deployment("other", IMAGES=IMAGES)]
    (found,) = faults(decide(dataclasses.replace(FIT, operators=twice)))
    assert found.message == "There are 2 of them: system/trainingrun, system/other."


def test_an_operator_of_another_version_is_worth_a_look() -> None:
    older = a_deployment(IMAGES=IMAGES)
    older["metadata"]["labels"]["app.kubernetes.io/version"] = "0.0.1"
    (found,) = faults(decide(dataclasses.replace(FIT, operators=[older])))
    assert f"version 0.0.1, and this command is {trainingrun.__version__}" in found.message


def test_fields_are_found_in_lists_and_below_them() -> None:
    assert {"spec.data[].languageScore.min", "spec.variants[].stages[].sft.config", "spec.suspend"} <= FIELDS
