"""What the chart renders; helm itself renders it."""

from pathlib import Path
from typing import Any

import pytest

from trainingrun.controller.installed import NODES, RIGHTS, TOKENS
from trainingrun.controller.settings import (
    OPERATOR_VARIABLES,
    PREFIX,
    STAGE_VARIABLES,
    operator_settings,
    stage_settings,
)
from trainingrun.stages.settings import ROLES
from unit.helm.rendering import CHART, IMAGES, environment, images, of_kind, render, run


def test_helm_finds_nothing_to_complain_about(helm: Path) -> None:
    done = run(helm, "lint", "--strict", str(CHART), *images())
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("role", IMAGES)
def test_an_image_that_is_not_named_stops_the_installation(helm: Path, role: str) -> None:
    done = run(helm, "template", "tr", str(CHART), *images(leave_out=role))
    assert done.returncode != 0
    assert f"images.{role}" in done.stderr


def test_only_the_images_of_the_values_are_rendered(helm: Path) -> None:
    done = run(helm, "template", "tr", str(CHART), *images())
    rendered = {line.split("image:")[1].strip().strip('"') for line in done.stdout.splitlines() if " image:" in line}
    assert rendered == {IMAGES["operator"]}
    assert stage_settings(environment(render(helm))).images == {role: IMAGES[role] for role in ROLES}


def test_the_operator_reads_every_variable_that_the_chart_sets(helm: Path) -> None:
    known = {PREFIX + name for name in (*STAGE_VARIABLES, *OPERATOR_VARIABLES)}
    assert set(environment(render(helm))) <= known
    assert {PREFIX + name for name in STAGE_VARIABLES} <= set(environment(render(helm)))


def test_values_arrive_in_the_operators_settings(helm: Path) -> None:
    values = (
        "worker.fsGroup=null,worker.runtimeClassName=nvidia,worker.env.A=b,imagePullSecrets={one,two},service.port=9000"
    )
    found = environment(render(helm, "--set", values, "--set", "watch.namespaces={a,b}"))
    settings, own = stage_settings(found), operator_settings(found)
    assert (settings.fs_group, settings.runtime_class_name, settings.worker_env) == (None, "nvidia", {"A": "b"})
    assert settings.image_pull_secrets == ("one", "two")
    assert settings.report_url == "http://tr.system.svc:9000"
    assert (own.namespaces, own.port) == (("a", "b"), 9000)


def test_the_operator_keeps_to_pod_security_restricted(helm: Path) -> None:
    spec = of_kind(render(helm), "Deployment")[0]["spec"]["template"]["spec"]
    container = spec["containers"][0]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_a_new_operator_is_ready_before_the_old_one_goes(helm: Path) -> None:
    spec = of_kind(render(helm), "Deployment")[0]["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


def test_each_replica_knows_the_lease_and_itself(helm: Path) -> None:
    own = operator_settings(environment(render(helm)))
    assert own.lease == ("system", "tr")
    assert (own.identity, own.address) == ("$(POD_NAME)_$(POD_UID)", "http://$(POD_IP):8080")


def test_two_replicas_keep_apart_and_are_not_evicted_together(helm: Path) -> None:
    assert not of_kind(render(helm), "PodDisruptionBudget")
    objects = render(helm, "--set", "operator.replicas=2,networkPolicy.enabled=true")
    deployment = of_kind(objects, "Deployment")[0]["spec"]
    assert deployment["replicas"] == 2
    apart = deployment["template"]["spec"]["affinity"]["podAntiAffinity"]
    term = apart["preferredDuringSchedulingIgnoredDuringExecution"][0]["podAffinityTerm"]
    assert term["labelSelector"] == deployment["selector"]
    budget = of_kind(objects, "PodDisruptionBudget")[0]["spec"]
    assert budget == {"maxUnavailable": 1, "selector": deployment["selector"]}
    peers = of_kind(objects, "NetworkPolicy")[0]["spec"]["ingress"][0]["from"]
    assert {"podSelector": deployment["selector"]} in peers, "reports could not be sent on"


def test_an_affinity_of_the_users_own_takes_the_place_of_ours(helm: Path) -> None:
    values = "operator.replicas=2,operator.affinity.nodeAffinity.x=y"
    spec = of_kind(render(helm, "--set", values), "Deployment")[0]["spec"]["template"]["spec"]
    assert spec["affinity"] == {"nodeAffinity": {"x": "y"}}


def test_the_operator_may_hold_its_own_lease_and_no_other(helm: Path) -> None:
    role = next(one for one in of_kind(render(helm), "Role") if one["metadata"]["name"] == "tr-lease")
    assert role["metadata"]["namespace"] == "system"
    names = {verb: rule.get("resourceNames") for rule in role["rules"] for verb in rule["verbs"]}
    assert names == {"create": None, "get": ["tr"], "update": ["tr"]}


def rules(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [rule for one in of_kind(objects, "Role", "ClusterRole") for rule in one["rules"]]


def own(objects: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """The operator's own object of a kind."""
    return next(one for one in of_kind(objects, kind) if one["metadata"]["name"] == "tr")


def test_what_helm_test_asks_for_is_what_the_chart_gives(helm: Path) -> None:
    given = {
        (group, resource, verb)
        for rule in own(render(helm), "ClusterRole")["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert given == {(group, resource, verb) for group, resource, verbs in (*RIGHTS, TOKENS, NODES) for verb in verbs}


def test_rights_that_an_administrator_gives_are_not_made(helm: Path) -> None:
    kinds = ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
    assert not of_kind(render(helm, "--set", "rbac.create=false,crds.upgrade=false"), *kinds)


def test_no_right_is_wider_than_what_is_used(helm: Path) -> None:
    for rule in rules(render(helm)):
        assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"], rule
        assert not {"secrets", "pods/exec", "serviceaccounts"} & set(rule["resources"]), rule
    runs = [rule for rule in rules(render(helm)) if rule["resources"] == ["trainingruns"]]
    assert runs == [
        {"apiGroups": ["trainingrun.dev"], "resources": ["trainingruns"], "verbs": ["get", "list", "watch"]}
    ]


def test_with_namespaces_the_cluster_role_is_left_with_what_no_namespace_has(helm: Path) -> None:
    objects = render(helm, "--set", "watch.namespaces={a,b}")
    for kind in ("Role", "RoleBinding"):
        where = [one["metadata"]["namespace"] for one in of_kind(objects, kind) if one["metadata"]["name"] == "tr"]
        assert where == ["a", "b"]
    assert [rule["resources"] for rule in own(objects, "ClusterRole")["rules"]] == [["tokenreviews"], ["nodes"]]
    without = render(helm, "--set", "watch.namespaces={a},watch.nodes=false")
    assert [rule["resources"] for rule in own(without, "ClusterRole")["rules"]] == [["tokenreviews"]]
    assert operator_settings(environment(without)).read_nodes is False


def test_what_is_optional_is_left_out_until_it_is_asked_for(helm: Path) -> None:
    assert not of_kind(render(helm), "NetworkPolicy", "ServiceMonitor")
    objects = render(helm, "--set", "networkPolicy.enabled=true,serviceMonitor.enabled=true")
    assert len(of_kind(objects, "NetworkPolicy", "ServiceMonitor")) == 2
