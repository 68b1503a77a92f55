"""A tokenize stage of several pods, with Kubernetes' own Job controller: pods die, and the others work on."""

from collections.abc import Iterator
from typing import Any

import pytest
from local_cluster.api_only import api_server

from control_plane.api import Api, Object, install_definitions, install_pytorchjobs, until
from control_plane.conftest import create_node
from control_plane.job_controller import job_controller
from control_plane.kubelet import Kubelet
from control_plane.operator_process import Operator, install_rights
from control_plane.test_failures import attempt, stage
from trainingrun_workers.contract import ExitCode, Result

INDEX = "batch.kubernetes.io/job-completion-index"
FAILURES = "batch.kubernetes.io/job-index-failure-count"
IGNORED = "batch.kubernetes.io/job-index-ignored-failure-count"
FIGURES = {"tokens": 1000, "documents": 10, "bytes": 2000, "estimateError": 0.02}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """An API server of this module's own: in the others' the tests play the Job controller themselves."""
    folder = tmp_path_factory.mktemp("jobs")
    with api_server(folder) as kubeconfig, job_controller(kubeconfig, folder):
        api = Api(kubeconfig)
        install_definitions(api)
        install_pytorchjobs(api)
        install_rights(api)
        create_node(api, "node-1")
        yield api


class Pods:
    """The pods that the Job controller makes for a tokenize stage; the test is their kubelet."""

    def __init__(self, api: Api, kubelet: Kubelet) -> None:
        self.api, self.kubelet = api, kubelet

    def all(self) -> list[Object]:
        """Those of every attempt, which are still there."""
        return self.api.list("Pod", self.kubelet.namespace)

    def of(self, index: int) -> Object | None:
        """The one that an index has now and that has not ended."""
        going = [one for one in self.all() if one["status"].get("phase") in (None, "Pending", "Running")]
        alive = [one for one in going if "deletionTimestamp" not in one["metadata"]]
        return next((one for one in alive if one["metadata"]["annotations"][INDEX] == str(index)), None)

    def run(self, index: int, seconds: float = 30.0) -> Object:
        """It, once it is there, running."""
        pod: Object = until(lambda: self.of(index), seconds)
        self.kubelet.run_pod(pod)
        return pod

    def complete(self, *indexes: int) -> None:
        """Let them end well."""
        for index in indexes:
            words = Result(0, "Completed", "Done.", output=FIGURES)
            self.kubelet.end_pod(until(lambda index=index: self.of(index)), 0, words.to_json())


@pytest.fixture
def pods(api: Api, kubelet: Kubelet) -> Pods:
    """The pods of the test's namespace."""
    return Pods(api, kubelet)


@pytest.fixture
def begun(api: Api, operator: Operator, pods: Pods, manifest: Object) -> Object:
    """A run whose tokenize stage has two pods at work."""
    run = api.create(manifest)
    pods.run(0)
    pods.run(1)
    return run


def finished(api: Api, namespace: str) -> Object:
    until(lambda: stage(api, namespace, "tokenize")["phase"] == "Succeeded")
    return stage(api, namespace, "tokenize")


def counts(told: Object) -> tuple[int, int, int]:
    return told["attempt"], told.get("restarts", 0), told.get("preemptions", 0)


def test_a_pod_that_crashes_is_replaced_alone_and_the_attempt_goes_on(
    api: Api, begun: Object, namespace: str, pods: Pods
) -> None:
    other = pods.run(1)
    pods.kubelet.end_pod(pods.run(0), 1)
    again = pods.run(0)
    assert again["metadata"]["annotations"][FAILURES] == "1"
    assert pods.of(1)["metadata"]["uid"] == other["metadata"]["uid"]  # type: ignore[index]
    pods.complete(0, 1)
    told = finished(api, namespace)
    assert counts(told) == (1, 0, 0)
    assert told["output"] == {"tokens": "1000", "documents": "10", "bytes": "2000", "estimateError": "0.02"}


def test_pods_that_were_stopped_or_evicted_are_replaced_and_counted_nowhere(
    api: Api, begun: Object, namespace: str, pods: Pods
) -> None:
    gone = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
    pods.kubelet.end_pod(pods.run(0), ExitCode.PREEMPTED)
    pods.kubelet.end_pod(pods.run(1), 137, conditions=[gone])
    for index in (0, 1):
        again = pods.run(index)["metadata"]["annotations"]
        assert (again[FAILURES], again[IGNORED]) == ("0", "1")
    pods.complete(0, 1)
    assert counts(finished(api, namespace)) == (1, 0, 0)


def test_bad_data_end_the_stage_at_once_in_the_workers_own_words(
    api: Api, begun: Object, namespace: str, pods: Pods
) -> None:
    words = Result(ExitCode.BAD_DATA, "SourceCorrupt", "The file raw/en/a.parquet can't be read: replace it.")
    pods.kubelet.end_pod(pods.run(1), ExitCode.BAD_DATA, words.to_json())
    until(lambda: stage(api, namespace, "tokenize")["phase"] == "Failed")
    told = stage(api, namespace, "tokenize")
    assert (told["reason"], told["message"]) == ("SourceCorrupt", words.message)
    # What runs is given back: with its Job go the pods, by the garbage collector, which the test plays.
    until(lambda: not attempt(pods.kubelet, "tiny-tokenize-a1"))


@pytest.mark.parametrize("code", [ExitCode.BAD_DATA, ExitCode.BAD_CONFIG])
def test_the_job_itself_fails_by_what_only_the_user_can_mend(
    api: Api, operator: Operator, namespace: str, pods: Pods, manifest: Object, code: int
) -> None:
    api.create(manifest)
    pods.run(0)
    operator.kill()
    pods.kubelet.end_pod(pods.run(1), code)

    def failed() -> list[Any]:
        conditions = api.get("Job", "tiny-tokenize-a1", namespace).get("status", {}).get("conditions") or []
        return [one["reason"] for one in conditions if one["type"] in ("Failed", "FailureTarget")]

    assert "PodFailurePolicy" in until(failed)


def test_an_index_that_fails_again_and_again_is_given_up_and_another_attempt_does_the_rest(
    api: Api, operator: Operator, namespace: str, pods: Pods, manifest: Object
) -> None:
    manifest["spec"]["pretrain"]["recovery"] = {"backoff": "1s"}
    api.create(manifest)
    for _ in range(3):
        pods.kubelet.end_pod(pods.run(0, 60), 1)
    pods.run(1)
    until(lambda: stage(api, namespace, "tokenize").get("reason") == "PodGivenUp", 60)
    assert "its pod of index 0" in stage(api, namespace, "tokenize")["message"]
    pods.complete(1)
    until(lambda: attempt(pods.kubelet, "tiny-tokenize-a2"), 60)
    assert counts(stage(api, namespace, "tokenize")) == (2, 1, 0)
    told = api.get("TrainingRun", "tiny", namespace)["status"]["attempts"][0]
    assert (told["cause"], told["exitCode"]) == ("Crashed", 1)


def test_another_number_of_pods_is_taken_while_the_stage_runs(
    api: Api, begun: Object, namespace: str, pods: Pods
) -> None:
    before = {one["metadata"]["uid"] for one in pods.all()}
    api.merge("TrainingRun", "tiny", {"spec": {"tokenize": {"parallelism": 3}}}, namespace)
    until(lambda: stage(api, namespace, "tokenize").get("reason") == "WaitingForPods")
    for pod in pods.all():
        # The garbage collector's and the kubelet's part: both pods stop when they are told to.
        pods.kubelet.end_pod(pod, ExitCode.PREEMPTED)
        pods.kubelet.remove(pod)
    for index in range(3):
        assert pods.run(index)["metadata"]["uid"] not in before
    pods.complete(0, 1, 2)
    assert counts(finished(api, namespace)) == (2, 0, 0)
    causes = [one["cause"] for one in api.get("TrainingRun", "tiny", namespace)["status"]["attempts"][:2]]
    assert causes == ["Replaced", "Completed"]


def test_other_resources_are_for_the_next_attempt(api: Api, begun: Object, namespace: str, pods: Pods) -> None:
    resources = {"requests": {"cpu": "3"}, "limits": {"memory": "9Gi"}}
    api.merge("TrainingRun", "tiny", {"spec": {"tokenize": {"resources": resources}}}, namespace)
    until(lambda: api.get("TrainingRun", "tiny", namespace)["status"]["observedGeneration"] == 2)
    pods.complete(0, 1)
    assert counts(finished(api, namespace)) == (1, 0, 0)


def test_a_missing_secret_is_told_and_once_it_is_there_the_pods_start(
    api: Api, operator: Operator, namespace: str, pods: Pods, manifest: Object
) -> None:
    manifest["spec"]["data"][0] |= {"path": "s3://bucket/en", "secretName": "s3"}
    api.create(manifest)
    pod = until(lambda: pods.of(0))
    assert pod["spec"]["containers"][0]["envFrom"] == [{"secretRef": {"name": "s3"}}]
    waiting = {"reason": "CreateContainerConfigError", "message": 'secret "s3" not found'}
    pods.kubelet.hold_pod(pod, waiting)

    def stalled() -> str:
        conditions = api.get("TrainingRun", "tiny", namespace)["status"]["conditions"]
        return next(f"{one['reason']}: {one['message']}" for one in conditions if one["type"] == "Stalled")

    until(lambda: "ContainerCannotStart" in stalled() and 'secret "s3" not found' in stalled())
    pods.run(0)
    until(lambda: stage(api, namespace, "tokenize").get("reason") == "Running")
    assert "NotStalled" in stalled()
    pods.run(1)
    pods.complete(0, 1)
    assert counts(finished(api, namespace)) == (1, 0, 0)
