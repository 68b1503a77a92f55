"""What a cluster may lack or refuse: the run says so, and goes on by itself once it is mended."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from local_cluster.api_only import api_server

from builders import a_manifest
from control_plane.api import Api, ApiError, Object, install_definitions, install_pytorchjobs, until
from control_plane.conftest import create_claim, create_node
from control_plane.kubelet import Kubelet, now
from control_plane.operator_process import Operator, install_rights, running
from trainingrun.controller.watches import WATCH_RETRY


def stalled(api: Api, namespace: str, name: str = "tiny") -> str:
    """What the run waits for a person for."""
    conditions = api.get("TrainingRun", name, namespace).get("status", {}).get("conditions", [])
    return next((one["message"] for one in conditions if (one["type"], one["status"]) == ("Stalled", "True")), "")


def test_a_claim_that_comes_later_starts_the_run(
    api: Api, operator: Operator, namespace: str, kubelet: Kubelet, manifest: Object
) -> None:
    manifest["spec"]["storage"] = {"claimName": "later"}
    api.create(manifest)
    until(lambda: f"Claim later does not exist in namespace {namespace}" in stalled(api, namespace))
    create_claim(api, namespace, "later")
    until(kubelet.work)


def test_a_claim_is_made_where_the_run_asks_for_one(
    api: Api, operator: Operator, namespace: str, kubelet: Kubelet, manifest: Object
) -> None:
    manifest["spec"]["storage"] = {"claim": {"size": "10Gi"}}
    api.create(manifest)
    until(kubelet.work)
    claim = api.get("PersistentVolumeClaim", "tiny", namespace)
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert "ownerReferences" not in claim["metadata"], "deleting the run would delete its models"


def test_a_quota_that_refuses_the_job_is_told_and_then_forgotten(
    api: Api, operator: Operator, namespace: str, kubelet: Kubelet, manifest: Object
) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none", "namespace": namespace}}
    path = f"/api/v1/namespaces/{namespace}/resourcequotas"
    api.call("POST", path, {**quota, "spec": {"hard": {"count/jobs.batch": "0"}}})
    full = {"status": {"hard": {"count/jobs.batch": "0"}, "used": {"count/jobs.batch": "0"}}}
    api.call("PATCH", f"{path}/none/status", full, "application/merge-patch+json")
    api.create(manifest)
    until(lambda: "exceeded quota: none" in stalled(api, namespace))
    api.call("DELETE", f"{path}/none")
    until(kubelet.work, 60)
    until(lambda: stalled(api, namespace) == "")


def test_a_webhook_that_does_not_answer_is_waited_for(
    api: Api, operator: Operator, namespace: str, kubelet: Kubelet, manifest: Object
) -> None:
    path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    webhook = {
        "name": "absent.example.org",
        "clientConfig": {"url": "https://127.0.0.1:9/absent"},
        "rules": [{"apiGroups": ["batch"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["jobs"]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",  # or dry runs would not be asked about
    }
    metadata = {"name": namespace}
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
    api.call("POST", path, {**kind, "metadata": metadata, "webhooks": [webhook]})
    try:
        until(lambda: not _takes_jobs(api, namespace))
        api.create(manifest)
        until(lambda: "failed calling webhook" in stalled(api, namespace), 60)
        assert not kubelet.work()
    finally:
        api.call("DELETE", f"{path}/{namespace}")
    until(kubelet.work, 60)
    until(lambda: stalled(api, namespace) == "")


def _takes_jobs(api: Api, namespace: str) -> bool:
    """Whether the API server would make a Job, webhooks included."""
    container = {"name": "it", "image": "registry.example/it:1"}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "trial"}, "spec": {"template": template}}
    try:
        api.call("POST", f"/apis/batch/v1/namespaces/{namespace}/jobs?dryRun=All", job)
    except ApiError as error:
        assert error.status == 500, error
        return False
    return True


def test_pods_that_are_refused_are_told_from_the_jobs_events(
    api: Api, operator: Operator, namespace: str, kubelet: Kubelet, manifest: Object
) -> None:
    api.create(manifest)
    job = until(kubelet.work)[0]
    about = {"kind": "Job", "namespace": namespace, "name": job["metadata"]["name"], "uid": job["metadata"]["uid"]}
    api.create(
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": "refused", "namespace": namespace},
            "involvedObject": about,
            "type": "Warning",
            "reason": "FailedCreate",
            "message": 'pods "tiny" is forbidden: exceeded quota: gpus',
            "lastTimestamp": now(),
        }
    )
    until(lambda: "exceeded quota: gpus" in stalled(api, namespace), 60)


def test_an_object_of_somebody_elses_is_never_taken_over(
    api: Api, operator: Operator, namespace: str, kubelet: Kubelet, manifest: Object
) -> None:
    theirs = {"name": "tiny-tokenize-a1", "namespace": namespace}
    api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": theirs, "data": {"input.json": "theirs"}})
    api.create(manifest)
    until(lambda: "belongs to something else: delete it, or rename the run" in stalled(api, namespace))
    assert api.get("ConfigMap", "tiny-tokenize-a1", namespace)["data"] == {"input.json": "theirs"}
    assert not kubelet.work()
    api.delete("ConfigMap", "tiny-tokenize-a1", namespace)
    until(kubelet.work)


def test_a_run_made_again_under_its_name_sees_nothing_of_the_earlier_one(
    api: Api, operator: Operator, namespace: str, kubelet: Kubelet, manifest: Object
) -> None:
    api.create(manifest)
    job = until(kubelet.work)[0]
    kubelet.fail(job, 65)
    until(lambda: api.get("TrainingRun", "tiny", namespace)["status"]["phase"] == "Failed")
    api.delete("TrainingRun", "tiny", namespace)
    manifest["spec"]["data"][0]["path"] = "raw/elsewhere"
    again = api.create(manifest)
    # The garbage collector has not come by: what is left of the earlier run holds the names.
    until(lambda: "tiny-tokenize-a1" in stalled(api, namespace))
    status = api.get("TrainingRun", "tiny", namespace)["status"]
    assert [one["attempt"] for one in status["stages"] if one["name"] == "tokenize"] == [1]
    assert status["phase"] != "Failed"
    kubelet.collect_garbage()
    made = until(kubelet.work)[0]
    assert made["metadata"]["ownerReferences"][0]["uid"] == again["metadata"]["uid"]


def test_an_operator_of_some_namespaces_leaves_the_others_alone(
    api: Api, namespace: str, kubelet: Kubelet, manifest: Object, tmp_path: Path
) -> None:
    other = a_manifest("tiny")
    other["metadata"]["namespace"] = f"{namespace}-other"
    api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"{namespace}-other"}})
    create_claim(api, f"{namespace}-other")
    api.create(other)
    release = f"only-{namespace}"
    install_rights(api, "--set", f"watch.namespaces={{{namespace}}}", release=release)
    with running(Operator(api, tmp_path, account=release, namespaces=namespace)) as operator:
        api.create(manifest)
        until(kubelet.work)
        kubelet.play(lambda: api.get("TrainingRun", "tiny", namespace)["status"]["phase"] == "Succeeded")
        assert "status" not in api.get("TrainingRun", "tiny", f"{namespace}-other")
        assert "orbidden" not in operator.said()


@pytest.fixture
def bare_api(tmp_path: Path) -> Iterator[Api]:
    """An API server that does not know PyTorchJobs."""
    with api_server(tmp_path / "bare") as kubeconfig:
        api = Api(kubeconfig)
        install_definitions(api)
        install_rights(api)
        create_node(api, "node-1")
        create_claim(api, "default")
        yield api


def test_training_waits_for_the_kind_pytorchjob_and_starts_when_it_is_installed(bare_api: Api, tmp_path: Path) -> None:
    kubelet = Kubelet(bare_api)
    with running(Operator(bare_api, tmp_path)) as operator:
        bare_api.create(a_manifest("tiny"))
        kubelet.complete(until(kubelet.work)[0])
        until(lambda: "does not know the kind PyTorchJob" in stalled(bare_api, "default"))
        install_pytorchjobs(bare_api)
        kubelet.play(lambda: bare_api.get("TrainingRun", "tiny")["status"]["phase"] == "Succeeded", 120)
        assert operator.answer("/healthz") == (200, "ok")


def test_a_kind_that_was_taken_away_and_came_back_is_watched_again(bare_api: Api, tmp_path: Path) -> None:
    install_pytorchjobs(bare_api)
    kubelet = Kubelet(bare_api)
    # No comparison meanwhile, which would tell after a while what the watch should tell at once.
    with running(Operator(bare_api, tmp_path, audit_seconds="600", deaf_seconds="900")) as operator:
        bare_api.delete("CustomResourceDefinition", "pytorchjobs.kubeflow.org")
        until(lambda: "The watches have ended and are made anew" in operator.said(), 60)
        time.sleep(WATCH_RETRY + 3.0)  # so that it is still away when they are
        install_pytorchjobs(bare_api)
        bare_api.create(a_manifest("tiny"))
        until(kubelet.work)
        kubelet.play(lambda: bare_api.get("TrainingRun", "tiny")["status"]["phase"] == "Succeeded", 120)
