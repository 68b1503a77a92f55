"""doctor against real API servers: an empty one, one that has all, a namespace with a quota, a user without rights."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from local_cluster.api_only import api_server

from builders import a_manifest
from control_plane.api import Api, Object
from control_plane.conftest import create_node
from control_plane.operator_process import render_chart
from manifest_changes import CUSTOM_PRETRAIN
from trainingrun.cli import main

Doctor = Callable[..., tuple[int, dict[str, list[Object]]]]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """An API server of these tests' own, without definitions."""
    with api_server(tmp_path_factory.mktemp("doctor")) as kubeconfig:
        yield Api(kubeconfig)


@pytest.fixture(scope="module")
def chart() -> Object:
    """The chart's Deployment."""
    (deployment,) = [one for one in render_chart("--set", "imagePullSecrets={registry}") if one["kind"] == "Deployment"]
    return deployment


@pytest.fixture
def team(api: Api, namespace: str, chart: Object) -> Iterator[str]:
    """A namespace of the API server that has the definitions, with the chart's Deployment, and two nodes with GPUs."""
    deployment = chart | {"metadata": chart["metadata"] | {"namespace": namespace}}
    api.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(deployment))
    _is_available(api, deployment["metadata"]["name"], namespace)
    for name in ("gpu-1", "gpu-2"):
        create_node(api, name)
        api.merge("Node", name, {"spec": {"taints": None}})  # which only a node's controller would take away
        allocatable = {"cpu": "64", "memory": "512Gi", "pods": "110", "nvidia.com/gpu": "8"}
        api.merge("Node", name, {"status": {"allocatable": allocatable, "capacity": allocatable}}, part="status")
    yield namespace
    api.kubectl("delete", "deployment", deployment["metadata"]["name"], "-n", namespace)
    for name in ("gpu-1", "gpu-2"):
        api.delete("Node", name)


def _is_available(api: Api, name: str, namespace: str) -> None:
    """What the Deployment's controller would write."""
    status = {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1}
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}/status"
    api.call("PATCH", path, {"status": status}, "application/merge-patch+json")


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str]) -> Doctor:
    """The command's exit code, and its findings by what was looked at."""

    def look(kubeconfig: Path, namespace: str, *arguments: str) -> tuple[int, dict[str, list[Object]]]:
        code = main(["doctor", "--kubeconfig", str(kubeconfig), "-n", namespace, "-o", "json", *arguments])
        by_check: dict[str, list[Object]] = {}
        for one in json.loads(capsys.readouterr().out)["findings"]:
            by_check.setdefault(one["check"], []).append(one)
        return code, by_check

    return look


def as_nobody(api: Api, namespace: str, folder: Path) -> Path:
    """The kubeconfig of an account that has been given no rights."""
    api.kubectl("create", "serviceaccount", "nobody", "-n", namespace)
    document: Any = yaml.safe_load(api.kubeconfig.read_text())
    document["clusters"][0]["cluster"] = {"server": api.server, "certificate-authority": api.authority}
    document["users"][0]["user"] = {"token": api.token("nobody", namespace)}
    path = folder / "nobody"
    path.write_text(yaml.safe_dump(document))
    return path


def levels(found: dict[str, list[Object]], check: str) -> list[str]:
    return [one["level"] for one in found[check]]


def test_a_cluster_without_definitions_is_not_fit(bare: Api, doctor: Doctor) -> None:
    code, found = doctor(bare.kubeconfig, "default")
    assert code == 1
    assert found["definition"][0]["message"] == "The cluster knows no TrainingRun."
    assert found["pytorchjob"][0]["message"] == "The cluster knows no PyTorchJob of kubeflow.org/v1."
    assert found["operator"][0]["message"] == "No operator is installed."
    assert found["storage"][0]["message"] == "There is no StorageClass and no claim."
    assert (levels(found, "clock"), levels(found, "kubernetes"), levels(found, "rights")) == (["ok"], ["ok"], ["ok"])


def test_for_people_each_line_has_its_mend_below(bare: Api, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--kubeconfig", str(bare.kubeconfig), "-n", "nowhere"]) == 1
    printed = capsys.readouterr().out
    assert "fail  namespace" in printed
    assert "→ Make it: kubectl create namespace nowhere." in printed
    assert printed.splitlines()[-1].startswith("Not fit: ")


def test_what_is_installed_is_seen_and_what_lacks_is_told_until_it_is_there(
    api: Api, team: str, doctor: Doctor
) -> None:
    code, found = doctor(api.kubeconfig, team)
    assert found["definition"][0]["message"] == (
        "trainingrun.dev/v1alpha1 is served with every field that this command knows."
    )
    assert levels(found, "operator") == ["ok"]
    assert found["nodes"][0]["message"] == "2 nodes offer 16 nvidia.com/gpu: 2 × 8."
    assert found["storage"][0]["message"] == f"Claims with ReadWriteMany are bound in namespace {team}: quickstart."
    assert (code, [one["message"] for ones in found.values() for one in ones if one["level"] == "fail"]) == (
        1,
        [f"The pull secret registry, which the chart names, is not in namespace {team}."],
    )
    api.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "registry", "namespace": team}})
    code, found = doctor(api.kubeconfig, team)
    assert (code, [one for ones in found.values() for one in ones if one["level"] == "fail"]) == (0, [])


def test_a_run_has_room_on_the_nodes_but_not_in_the_quota(api: Api, team: str, doctor: Doctor, tmp_path: Path) -> None:
    manifest = a_manifest("tiny")
    manifest["spec"]["pretrain"] |= {"nodes": 2, "gpusPerNode": 8}
    manifest["spec"]["pretrain"]["config"]["parallelism"] = {"dp": 16, "tp": 1, "pp": 1}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(manifest))
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small", "namespace": team},
        "spec": {"hard": {"requests.nvidia.com/gpu": "8"}},
    }
    api.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(quota))
    code, found = doctor(api.kubeconfig, team, "-f", str(tmp_path / "run.yaml"))
    assert code == 1
    assert [one["message"] for one in found["quota"]] == [
        "ResourceQuota small allows 8 requests.nvidia.com/gpu, but stage pretrain wants 16."
    ]
    assert levels(found, "room") == ["ok"]


def test_a_run_whose_engine_the_chart_has_no_image_for_is_named(api: Api, team: str, doctor: Doctor) -> None:
    run = a_manifest("own", pretrain=CUSTOM_PRETRAIN, evaluate=None, variants=[])
    run["metadata"]["namespace"] = team
    api.create(run)
    code, found = doctor(api.kubeconfig, team)
    assert (code, levels(found, "engines")) == (1, ["fail"])
    assert "Run own names the custom engine " in found["engines"][0]["message"]
    api.delete("TrainingRun", "own", team)
    assert "engines" not in doctor(api.kubeconfig, team)[1]


def test_somebody_without_rights_is_told_which_and_no_more_is_concluded(
    api: Api, team: str, doctor: Doctor, tmp_path: Path
) -> None:
    code, found = doctor(as_nobody(api, team, tmp_path), team)
    assert code == 1
    assert (
        "You may not get trainingruns.trainingrun.dev, list trainingruns.trainingrun.dev"
        in (found["rights"][0]["message"])
    )
    assert levels(found, "definition") == ["ok"]  # the API server tells everybody who is logged in
    for check in ("operator", "namespace", "quota", "limit range", "storage", "nodes"):
        assert levels(found, check) == ["warn"], found[check]
        assert "may not" in found[check][0]["message"]
