"""What the chart makes for Prometheus, for Grafana and for messages to people."""

import shutil
from typing import Any

import pytest

from control_plane.operator_process import render_chart
from monitoring import NAMESPACE, rendered
from trainingrun.controller.settings import operator_settings, stage_settings

pytestmark = pytest.mark.skipif(shutil.which("go") is None, reason="helm is built from source here")

Objects = list[dict[str, Any]]


def chart(*values: str) -> Objects:
    return render_chart("--namespace", NAMESPACE, *(part for one in values for part in ("--set", one)))


def of_kind(objects: Objects, *kinds: str) -> Objects:
    return [one for one in objects if one["kind"] in kinds]


def pod(objects: Objects) -> dict[str, Any]:
    return dict(of_kind(objects, "Deployment")[0]["spec"]["template"]["spec"])


def environment(objects: Objects) -> dict[str, str]:
    return {one["name"]: one["value"] for one in pod(objects)["containers"][0]["env"] if "value" in one}


def test_rules_and_dashboard_are_optional_and_carry_the_labels_that_they_are_chosen_by() -> None:
    assert not of_kind(chart(), "PrometheusRule", "ConfigMap")
    objects = rendered("--set", "metrics.rules.labels.release=prometheus,metrics.dashboard.namespace=grafana")
    (rule,), (dashboard,) = of_kind(objects, "PrometheusRule"), of_kind(objects, "ConfigMap")
    assert rule["metadata"]["labels"]["release"] == "prometheus"
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert dashboard["metadata"]["namespace"] == "grafana"


def test_the_address_of_messages_is_mounted_and_never_read_from_the_api_server() -> None:
    assert stage_settings(environment(chart())).notifies is False
    assert not [one for one in pod(chart())["volumes"] if "secret" in one]
    values = "notifications.secretName=people,notifications.cluster=prod,notifications.silence=3h"
    objects = chart(values, "notifications.events={Failed}")
    (volume,) = [one["secret"] for one in pod(objects)["volumes"] if "secret" in one]
    assert volume == {"secretName": "people", "optional": True, "items": [{"key": "url", "path": "address"}]}
    mount = next(one for one in pod(objects)["containers"][0]["volumeMounts"] if one["name"] == "notifications")
    settings, own = stage_settings(environment(objects)), operator_settings(environment(objects))
    assert own.notify_address_file == f"{mount['mountPath']}/address"
    assert (settings.notifies, settings.notify_events, settings.notify_silence_seconds) == (True, ("Failed",), 10800.0)
    assert own.notify_cluster == "prod"
    rights = [rule for one in of_kind(objects, "Role", "ClusterRole") for rule in one["rules"]]
    assert not [rule for rule in rights if "secrets" in rule["resources"]]


@pytest.mark.parametrize("wrong", ["silence=30s", "silence=0m", "events={Finnished}", "secretName=Not_A_Name"])
def test_a_wrong_value_of_messages_is_refused_by_helm(wrong: str) -> None:
    with pytest.raises(AssertionError, match="notifications"):
        chart(f"notifications.{wrong}")


def test_a_limit_that_no_alert_can_have_is_refused_by_helm() -> None:
    with pytest.raises(AssertionError, match="failuresInARow"):
        chart("metrics.rules.failuresInARow=6")
