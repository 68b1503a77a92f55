"""Where the chart's pods run and what they may: the operator's, the hooks', and what runs' pods get as a default."""

import json
from pathlib import Path
from typing import Any

import pytest

from trainingrun.controller.settings import stage_settings
from unit.helm.rendering import environment, of_kind, pods, render

TOLERATION = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}


def values(**parts: Any) -> list[str]:
    return [
        word
        for path, value in parts.items()
        for word in ("--set-json", f"{path.replace('__', '.')}={json.dumps(value)}")
    ]


def test_every_pod_keeps_to_pod_security_restricted(helm: Path) -> None:
    found = pods(render(helm))
    assert set(found) == {"Deployment", "Job", "Pod"}
    for pod in found.values():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_no_service_or_policy_takes_a_hooks_pod_for_the_operators(helm: Path) -> None:
    objects = render(helm, "--set", "networkPolicy.enabled=true")
    selector = of_kind(objects, "Service")[0]["spec"]["selector"]
    labels = [of_kind(objects, "Job")[0]["spec"]["template"]["metadata"]["labels"]]
    labels += [of_kind(objects, "Pod")[0]["metadata"]["labels"]]
    assert all(not selector.items() <= one.items() for one in labels)
    peers = of_kind(objects, "NetworkPolicy")[0]["spec"]["ingress"][0]["from"]
    admitted = [peer["podSelector"].get("matchLabels") for peer in peers]
    assert any(one and one.items() <= labels[1].items() for one in admitted), "helm test could not ask the operator"


def test_the_operator_and_the_hooks_run_where_the_values_say(helm: Path) -> None:
    where = values(
        operator__nodeSelector={"pool": "system"},
        operator__tolerations=[TOLERATION],
        operator__priorityClassName="system-cluster-critical",
    )
    for pod in pods(render(helm, *where)).values():
        assert pod["nodeSelector"] == {"pool": "system"}
        assert pod["tolerations"] == [TOLERATION]
        assert pod["priorityClassName"] == "system-cluster-critical"


def test_a_spread_over_zones_is_of_the_operators_own_pods(helm: Path) -> None:
    zone = {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway"}
    other = {**zone, "labelSelector": {"matchLabels": {"a": "b"}}}
    objects = render(helm, *values(operator__topologySpreadConstraints=[zone, other]))
    deployment = of_kind(objects, "Deployment")[0]["spec"]
    assert deployment["template"]["spec"]["topologySpreadConstraints"] == [
        {**zone, "labelSelector": deployment["selector"]}, other,
    ]  # fmt: skip


def test_what_all_runs_pods_are_to_have_arrives_in_the_settings(helm: Path) -> None:
    affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}
    given = values(
        worker__nodeSelector={"pool": "gpu"},
        worker__tolerations=[TOLERATION],
        worker__affinity=affinity,
        worker__priorityClassName="training",
    )
    found = stage_settings(environment(render(helm, *given)))
    assert (found.node_selector, found.tolerations) == ({"pool": "gpu"}, (TOLERATION,))
    assert (found.affinity, found.priority_class_name) == (affinity, "training")


@pytest.mark.parametrize(("given", "read"), [(1000650000, 1000650000), (0, 0), (None, None)])
def test_a_group_is_read_as_it_was_written(helm: Path, given: int | None, read: int | None, tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"  # in a file numbers are decoded otherwise than by --set
    file.write_text(f"worker: {{fsGroup: {json.dumps(given)}, runAsUser: 1000650000}}")
    found = stage_settings(environment(render(helm, "--values", str(file))))
    assert (found.fs_group, found.run_as_user) == (read, 1000650000)


def test_egress_is_closed_but_for_what_the_operator_needs(helm: Path) -> None:
    block = {"ipBlock": {"cidr": "10.0.0.1/32"}}
    extra = {"to": [{"ipBlock": {"cidr": "192.0.2.7/32"}}], "ports": [{"port": 443}]}
    egress = {"enabled": True, "apiServer": [block], "apiServerPorts": [6443], "extra": [extra]}
    policy = of_kind(render(helm, *values(networkPolicy={"enabled": True, "egress": egress})), "NetworkPolicy")[0][
        "spec"
    ]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    dns, api, replicas, further = policy["egress"]
    assert {(one["port"], one["protocol"]) for one in dns["ports"]} == {(53, "UDP"), (53, "TCP")}
    assert api == {"ports": [{"port": 6443, "protocol": "TCP"}], "to": [block]}
    assert replicas["to"] == [{"podSelector": policy["podSelector"]}]
    assert further == extra


def test_a_budget_can_be_left_to_somebody_else(helm: Path) -> None:
    two = ("--set", "operator.replicas=3,podDisruptionBudget.maxUnavailable=2")
    assert of_kind(render(helm, *two), "PodDisruptionBudget")[0]["spec"]["maxUnavailable"] == 2
    assert not of_kind(render(helm, *two, "--set", "podDisruptionBudget.enabled=false"), "PodDisruptionBudget")
