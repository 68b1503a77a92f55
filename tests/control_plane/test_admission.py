"""The API server refuses what Python refuses, accepts what it accepts, and lets nobody change what has started."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, config, utils
from kubernetes.client.exceptions import ApiException
from local_cluster.api_only import api_server
from local_cluster.programs import built

from admission_cases import EDITS, RUNS, Case, Edit
from builders import QUICKSTART, REPOSITORY, a_manifest
from trainingrun.api import names
from trainingrun.api.crd import crd
from trainingrun.api.policies import policies
from trainingrun.stages.settings import ROLES

Kubectl = Callable[..., str]
NAMESPACE = "default"
PLACE = {"group": names.GROUP, "version": names.VERSION, "namespace": NAMESPACE, "plural": names.PLURAL}


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An API server of this module's own, since it takes a policy away for a moment."""
    with api_server(tmp_path_factory.mktemp("admission")) as file:
        yield file


@pytest.fixture(scope="module")
def runs(kubeconfig: Path) -> client.CustomObjectsApi:
    """The runs of an API server that has the CRD and the policies."""
    api = config.new_client_from_config(str(kubeconfig))
    for document in (crd(), *policies("trainingrun")):
        utils.create_from_dict(api, document)
    found = client.CustomObjectsApi(api)
    wait_until_enforced(found)
    return found


@pytest.fixture(scope="module")
def kubectl(runs: client.CustomObjectsApi, kubeconfig: Path) -> Kubectl:
    """What kubectl prints for some arguments; subprocess.CalledProcessError where it fails."""

    def run(*arguments: str) -> str:
        command = [built("kubernetes") / "kubectl", "--kubeconfig", kubeconfig, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    return run


def wait_until_enforced(runs: client.CustomObjectsApi) -> None:
    """Wait for the API server to serve the kind and to ask both policies."""
    probes = [case for case in RUNS if case.name == "a world that is too small"]
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if all("gpusPerNode give" in refusal(runs, case.manifest()) for case in probes):
            break
        time.sleep(0.1)
    runs.create_namespaced_custom_object(**PLACE, body=a_manifest("probe"))
    start(runs, "probe", {"tokenize": "Running"})
    while time.monotonic() < deadline:
        if "can't change" in change(runs, a_manifest("probe", tokenizer={"path": "other"})):
            return
        time.sleep(0.1)
    raise AssertionError("The policies are not enforced after 30 s.")


def refusal(runs: client.CustomObjectsApi, manifest: dict[str, Any], strictness: str = "Strict") -> str:
    """What the API server says against making a run; "" where it would."""
    try:
        runs.create_namespaced_custom_object(**PLACE, body=manifest, field_validation=strictness, dry_run="All")
    except ApiException as error:
        return sentence(error)
    return ""


def change(runs: client.CustomObjectsApi, manifest: dict[str, Any]) -> str:
    """What the API server says against changing a run to this; "" where it would."""
    name = manifest["metadata"]["name"]
    known = runs.get_namespaced_custom_object(**PLACE, name=name)
    try:
        runs.replace_namespaced_custom_object(
            **PLACE, name=name, body=known | {"spec": manifest["spec"]}, dry_run="All"
        )
    except ApiException as error:
        return sentence(error)
    return ""


def sentence(error: ApiException) -> str:
    """The message of a refusal, which is one by what the request says (422, 400) or by a policy's own reason."""
    body = str(error.body)
    assert error.status in (400, 404, 422), body
    return body.replace('\\"', '"')


def start(runs: client.CustomObjectsApi, name: str, stages: dict[str, str]) -> None:
    """Say in the status, as the operator would, that stages have started."""
    status = {
        "phase": "Running",
        "stages": [
            {"name": stage, "kind": stage.split("-")[0], "phase": phase, "attempt": 1}
            for stage, phase in stages.items()
        ],
    }
    runs.patch_namespaced_custom_object_status(**PLACE, name=name, body={"status": status})


@pytest.mark.parametrize("case", RUNS, ids=lambda case: case.name)
def test_the_api_server_says_of_a_run(runs: client.CustomObjectsApi, case: Case) -> None:
    said = refusal(runs, case.manifest())
    if case.refused is None:
        assert said == ""
    else:
        assert case.refused in said


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.name)
def test_the_api_server_says_of_a_change_to_a_started_run(runs: client.CustomObjectsApi, edit: Edit) -> None:
    name = f"edit-{EDITS.index(edit)}"
    manifest = a_manifest(name)
    edit.before(manifest)
    runs.create_namespaced_custom_object(**PLACE, body=manifest)
    start(runs, name, edit.started)
    edit.change(manifest)
    said = change(runs, manifest)
    if edit.refused is None:
        assert said == ""
    else:
        assert edit.refused in said
        assert "undo the change, or" in said


def test_the_torch_engines_gang_may_be_of_another_size_while_it_trains(runs: client.CustomObjectsApi) -> None:
    manifest = a_manifest("resized")
    manifest["spec"]["pretrain"]["engine"] = "torch"
    runs.create_namespaced_custom_object(**PLACE, body=manifest)
    start(runs, "resized", {"tokenize": "Succeeded", "pretrain": "Running"})
    manifest["spec"]["pretrain"]["nodes"] += 1
    assert change(runs, manifest) == ""
    manifest["spec"]["pretrain"] |= {"engine": "nanotron", "nodes": 2}
    assert "spec.pretrain's config and engine" in change(runs, manifest)


def test_a_refused_change_does_not_keep_the_operator_from_writing(runs: client.CustomObjectsApi) -> None:
    runs.create_namespaced_custom_object(**PLACE, body=a_manifest("written"))
    start(runs, "written", {"tokenize": "Succeeded", "pretrain": "Running"})
    patched = runs.patch_namespaced_custom_object_status(
        **PLACE, name="written", body={"status": {"phase": "Succeeded"}}
    )
    assert patched["status"]["phase"] == "Succeeded"


def test_metadata_of_a_run_that_is_older_than_a_rule_can_be_changed(runs: client.CustomObjectsApi) -> None:
    policy = client.AdmissionregistrationV1Api(runs.api_client)
    policy.delete_validating_admission_policy_binding("trainingrun-spec")
    bad = a_manifest("older")
    bad["spec"]["pretrain"]["nodes"] = 3
    deadline = time.monotonic() + 30
    while refusal(runs, bad) and time.monotonic() < deadline:
        time.sleep(0.1)
    runs.create_namespaced_custom_object(**PLACE, body=bad)
    utils.create_from_dict(runs.api_client, policies("trainingrun")[1])
    while not refusal(runs, bad | {"metadata": {"name": "other"}}) and time.monotonic() < deadline:
        time.sleep(0.1)
    labelled = runs.patch_namespaced_custom_object(
        **PLACE, name="older", body={"metadata": {"labels": {"team": "a"}, "finalizers": ["example.com/kept"]}}
    )
    assert labelled["metadata"]["labels"] == {"team": "a"}
    assert "gpusPerNode give 3" in change(runs, a_manifest("older", **bad["spec"] | {"suspend": True}))
    runs.delete_namespaced_custom_object(**PLACE, name="older")
    runs.patch_namespaced_custom_object(**PLACE, name="older", body={"metadata": {"finalizers": None}})
    with pytest.raises(ApiException, match="404"):
        runs.get_namespaced_custom_object(**PLACE, name="older")


def test_a_client_that_does_not_ask_for_strictness_loses_what_is_misspelt(runs: client.CustomObjectsApi) -> None:
    manifest = a_manifest("pruned")
    manifest["spec"]["pretrain"]["gpuPerNode"] = 8
    assert refusal(runs, manifest, "Ignore") == ""
    made = runs.create_namespaced_custom_object(**PLACE, body=manifest, field_validation="Ignore")
    assert "gpuPerNode" not in made["spec"]["pretrain"]


def test_an_object_stays_what_its_user_wrote(runs: client.CustomObjectsApi) -> None:
    made = runs.create_namespaced_custom_object(**PLACE, body=a_manifest("written-so"))
    assert made["spec"] == a_manifest()["spec"]


def test_kubectl_shows_where_a_run_stands(runs: client.CustomObjectsApi, kubectl: Kubectl) -> None:
    runs.create_namespaced_custom_object(**PLACE, body=a_manifest("shown"))
    status = {"phase": "Running", "stage": "pretrain", "progress": "350/900", "loss": "5.2", "eta": "2m10s"}
    runs.patch_namespaced_custom_object_status(**PLACE, name="shown", body={"status": status})
    titles, row = kubectl("get", "tr", "shown").splitlines()
    assert titles.split() == ["NAME", "PHASE", "STAGE", "PROGRESS", "LOSS", "ETA", "AGE"]
    assert row.split()[:-1] == ["shown", "Running", "pretrain", "350/900", "5.2", "2m10s"]


def test_kubectl_shows_restarts_and_the_newest_message_where_there_is_room(
    runs: client.CustomObjectsApi, kubectl: Kubectl
) -> None:
    runs.create_namespaced_custom_object(**PLACE, body=a_manifest("wide"))
    condition: dict[str, Any] = {
        "type": "Ready",
        "status": "False",
        "reason": "Running",
        "message": "Stage pretrain runs.",
    }
    condition |= {"observedGeneration": 1, "lastTransitionTime": "2027-01-15T08:00:00Z"}
    body = {"status": {"conditions": [condition], "restarts": 3}}
    runs.patch_namespaced_custom_object_status(**PLACE, name="wide", body=body)
    _, row = kubectl("get", "tr", "wide", "-o", "wide").splitlines()
    assert row.split(maxsplit=3)[2:] == ["3", "Stage pretrain runs."]


def test_the_chart_brings_the_policies_that_were_tested_here() -> None:
    images = ",".join(f"images.{role}=x" for role in ("operator", *ROLES))
    command = [built("helm") / "helm", "template", "r", REPOSITORY / "helm" / "trainingrun", "--set", images]
    rendered = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    documents = [one for one in yaml.safe_load_all(rendered) if one and "Admission" in one["kind"]]
    assert sorted(documents, key=_identity) == sorted(policies("default-r"), key=_identity)
    off = subprocess.run(
        [*command, "--set", "admissionPolicy.enabled=false"], check=True, capture_output=True, text=True
    )
    assert "ValidatingAdmissionPolicy" not in off.stdout


def test_the_chart_refuses_a_misspelt_value() -> None:
    command = [built("helm") / "helm", "lint", REPOSITORY / "helm" / "trainingrun", "--set", "worker.runAsUsr=5"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "additional properties 'runAsUsr' not allowed" in done.stdout + done.stderr


def _identity(document: dict[str, Any]) -> tuple[str, str]:
    return document["kind"], document["metadata"]["name"]


def test_kubectl_explains_every_field_with_a_sentence(kubectl: Kubectl) -> None:
    explained = kubectl("explain", "trainingrun.spec.pretrain")
    assert "How the base model is trained." in explained
    assert "Pods of the gang, each on a node. Default: 1." in " ".join(explained.split())
    assert "<no description>" not in kubectl("explain", "tr", "--recursive") + explained


def test_kubectl_applies_the_quickstart_and_refuses_a_misspelt_field(kubectl: Kubectl, tmp_path: Path) -> None:
    assert "created (server dry run)" in kubectl("apply", "--dry-run=server", "-f", str(QUICKSTART))
    misspelt = tmp_path / "run.yaml"
    misspelt.write_text(QUICKSTART.read_text().replace("gpusPerNode", "gpuPerNode", 1))
    with pytest.raises(subprocess.CalledProcessError) as error:
        kubectl("apply", "--dry-run=server", "-f", str(misspelt))
    assert 'unknown field "spec.pretrain.gpuPerNode"' in error.value.stderr
