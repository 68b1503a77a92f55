"""Helm itself installs, upgrades and uninstalls the chart on a real API server, with a run in the middle."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from local_cluster.api_only import api_server

from builders import REPOSITORY, a_manifest
from control_plane.api import PATHS, Api, ApiError, Object, install_pytorchjobs, until
from control_plane.conftest import create_claim, create_node
from control_plane.helm_release import CHART, Release
from control_plane.kubelet import Kubelet
from control_plane.operator_process import Operator, running
from control_plane.test_crashes import short, succeeded
from control_plane.test_failures import attempt
from trainingrun.api.crd import crd
from trainingrun.controller.definition import VERSION

# The release before this one, whose definition knows no cpt stages.
LAST_RELEASE = "d6ce80bc2d4026dcda1d6f4111a1bcd731e9ab1a"
DEFINITION = "trainingruns.trainingrun.dev"
DRY = "?dryRun=All&fieldValidation=Strict"
RUNS = "/apis/trainingrun.dev/v1alpha1/namespaces/default/trainingruns"


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Api]:
    """An API server of the test's own, since definitions are the whole server's."""
    with api_server(tmp_path / "api") as kubeconfig:
        api = Api(kubeconfig)
        install_pytorchjobs(api)
        create_node(api, "node-1")
        create_claim(api, "default")
        yield api


@pytest.fixture(scope="module")
def last_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The last release's chart and operator, out of the history."""
    folder = tmp_path_factory.mktemp("last")
    command = ["git", "-C", str(REPOSITORY), "archive", LAST_RELEASE, "helm", "operator", "workers"]
    archive = subprocess.run(command, capture_output=True, check=False)
    if archive.returncode != 0:
        pytest.skip(f"The history does not reach back to {LAST_RELEASE}, as in a shallow clone: git fetch --unshallow.")
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder


def with_cpt() -> Object:
    variant = {"name": "longer", "stages": [{"cpt": {"config": {"datasets": [{"path": "x"}]}}}]}
    return a_manifest("with-cpt", variants=[variant])


def refusal(api: Api, manifest: Object) -> str:
    """What the API server says against a run; nothing where it would take it."""
    try:
        api.call("POST", RUNS + DRY, manifest)
    except ApiError as error:
        return str(error)
    return ""


def in_the_middle(api: Api, kubelet: Kubelet) -> tuple[Object, list[str]]:
    """A run whose gang trains, and the uids of its pods."""
    api.create(short(a_manifest("tiny")))
    kubelet.complete(until(lambda: attempt(kubelet, "tiny-tokenize-a1")))
    gang = until(lambda: attempt(kubelet, "tiny-pretrain-a1"))
    pods = [pod["metadata"]["uid"] for pod in kubelet.start(gang)]
    until(lambda: stage(api, "pretrain").get("phase") == "Running")
    return api.get("TrainingRun", "tiny"), pods


def stage(api: Api, name: str) -> Object:
    stages = api.get("TrainingRun", "tiny").get("status", {}).get("stages", [])
    return next((one for one in stages if one["name"] == name), {})


def goes_on(api: Api, kubelet: Kubelet, before: Object, pods: list[str]) -> None:
    """The same run and the same pods finish what they have begun, in the same attempts."""
    now = api.get("TrainingRun", "tiny")
    assert (now["metadata"]["uid"], now["spec"]) == (before["metadata"]["uid"], before["spec"])
    gang = attempt(kubelet, "tiny-pretrain-a1")
    assert [pod["metadata"]["uid"] for pod in kubelet.pods(gang)] == pods
    kubelet.play(lambda: succeeded(api, "default"))
    ended = api.get("TrainingRun", "tiny")["status"]
    assert {one["cause"] for one in ended["attempts"]} == {"Completed"}
    assert {one["number"] for one in ended["attempts"] if one["stage"] in ("tokenize", "pretrain")} == {1}


def test_an_upgrade_from_the_last_release_brings_the_new_definition_and_leaves_the_run_alone(
    fresh: Api, last_release: Path, tmp_path: Path
) -> None:
    release, kubelet = Release(fresh, tmp_path), Kubelet(fresh)
    release.put("install", last_release / "helm" / "trainingrun")
    assert "unknown field" in refusal(fresh, with_cpt())
    with running(Operator(fresh, tmp_path / "old", sources=last_release)) as old:
        before, pods = in_the_middle(fresh, kubelet)
        release.put("upgrade")  # the old operator is still there, as in a rolling update
        assert release.said == [f"Definition {DEFINITION} is now that of version 0.1.0.\n"]
        served = fresh.get("CustomResourceDefinition", DEFINITION)["spec"]["versions"][0]["schema"]
        assert served["openAPIV3Schema"] == crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        until(lambda: not refusal(fresh, with_cpt()))
        old.stop()
    with running(Operator(fresh, tmp_path / "new")):
        goes_on(fresh, kubelet, before, pods)
    assert hook_leftovers(fresh) == []


def hook_leftovers(api: Api) -> list[str]:
    """Whatever a hook has left behind, above all its rights."""
    listed = api.kubectl(
        "get", "jobs,serviceaccounts,clusterroles,clusterrolebindings", "-n", "default", "-o", "name",
        "-l", "app.kubernetes.io/name=trainingrun-crds",
    )  # fmt: skip
    return listed.split()


def test_an_installation_can_be_taken_away_and_comes_back_to_the_run_it_left(fresh: Api, tmp_path: Path) -> None:
    release, kubelet = Release(fresh, tmp_path), Kubelet(fresh)
    release.put("install")
    with running(Operator(fresh, tmp_path / "first")) as first:
        before, pods = in_the_middle(fresh, kubelet)
        first.stop()
    done = release.helm("uninstall", "trainingrun")
    assert done.returncode == 0, done.stderr
    assert fresh.get("TrainingRun", "tiny")["metadata"]["uid"] == before["metadata"]["uid"]
    assert fresh.exists("PersistentVolumeClaim", "quickstart")
    assert fresh.exists("CustomResourceDefinition", DEFINITION)
    ours = fresh.kubectl("get", "deployments,services,serviceaccounts,roles,clusterroles,clusterrolebindings",
                         "-A", "-o", "name", "-l", "app.kubernetes.io/name=trainingrun")  # fmt: skip
    assert ours == ""
    release.put("install")
    with running(Operator(fresh, tmp_path / "second")):
        goes_on(fresh, kubelet, before, pods)


def test_helm_test_says_what_is_there_and_what_is_missing(fresh: Api, tmp_path: Path) -> None:
    release = Release(fresh, tmp_path)
    release.put("install")
    with running(Operator(fresh, tmp_path / "operator")) as operator:
        release.report_url = f"http://127.0.0.1:{operator.port}"
        assert outcome(release) == 0, release.said
        assert [line.partition(":")[0] for line in release.said[-1].splitlines()] == ["ok"] * 3
        release.put("upgrade", CHART, "watch.namespaces={default},watch.nodes=false")
        assert outcome(release) == 0, release.said
        assert "ok: The operator has its rights in default." in release.said[-1]
        fresh.kubectl("delete", "role", "trainingrun")
        assert outcome(release) != 0
        missing = "WRONG: The operator may not create jobs.batch in namespace default: install with rbac.create=true"
        assert missing in release.said[-1]
        change(fresh, lambda found: fields(found)["release"]["properties"].pop("limitations"))
        until(lambda: "unknown field" in refusal(fresh, a_manifest(release={"limitations": "x"})))
        outcome(release)
        assert "is of another version, which lacks spec.release.limitations" in release.said[-1]


def test_a_newer_definition_stays_and_an_absent_one_stops_the_upgrade_in_a_sentence(fresh: Api, tmp_path: Path) -> None:
    release = Release(fresh, tmp_path)
    release.put("install")
    change(fresh, lambda found: found["metadata"]["annotations"].update({VERSION: "12.0.0"}))
    release.put("upgrade")
    assert release.said[-1] == f"Definition {DEFINITION} is that of version 12.0.0, newer than 0.1.0: it stays.\n"
    fresh.delete("CustomResourceDefinition", DEFINITION)
    until(lambda: not fresh.exists("CustomResourceDefinition", DEFINITION))
    assert release.attempt("upgrade").returncode != 0
    assert f"The API server has no definition {DEFINITION}: install without --skip-crds" in release.said[-1]


def change(api: Api, how: Callable[[Object], object]) -> None:
    """Change the definition on the API server."""
    found = api.get("CustomResourceDefinition", DEFINITION)
    how(found)
    api.call("PUT", f"{PATHS['CustomResourceDefinition']}/{DEFINITION}", found)


def fields(definition: Object) -> Object:
    """The fields of the spec in a definition."""
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return dict(schema["properties"]["spec"]["properties"])


def outcome(release: Release) -> int:
    with release.hooks():
        return release.helm("test", "trainingrun", "--timeout", "90s").returncode
