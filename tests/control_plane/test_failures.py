"""Attempts that end badly: another one follows, or the run says why not."""

import functools
import time

from control_plane.api import Api, Object, until
from control_plane.conftest import create_node, set_node_ready
from control_plane.kubelet import GARBAGE, Kubelet, is_over
from control_plane.operator_process import Operator
from control_plane.test_reports import Stage, send
from trainingrun_workers.contract import ExitCode, Result


def stage(api: Api, namespace: str, name: str) -> Object:
    status = api.get("TrainingRun", "tiny", namespace).get("status", {})
    return next((one for one in status.get("stages", []) if one["name"] == name), {})


def attempt(kubelet: Kubelet, name: str) -> Object | None:
    """A Job or PyTorchJob by its name, once it is there."""
    return next((one for one in kubelet.work() if one["metadata"]["name"] == name), None)


def test_a_failed_gang_is_replaced_as_a_whole(
    api: Api, operator: Operator, namespace: str, kubelet: Kubelet, manifest: Object
) -> None:
    api.create(manifest)
    kubelet.complete(until(lambda: attempt(kubelet, "tiny-tokenize-a1")))
    gang = until(lambda: attempt(kubelet, "tiny-pretrain-a1"))
    pods = kubelet.start(gang)
    assert len(pods) == 2
    words = Result(ExitCode.RETRY, "PeerLost", "A peer went away.", step=300)
    kubelet.end_pod(pods[1], ExitCode.RETRY, words.to_json())

    def is_replaced() -> Object | None:
        kubelet.collect_garbage()  # takes the pods of a deleted gang, as the cluster would
        return attempt(kubelet, "tiny-pretrain-a2")

    again = until(is_replaced, 60)
    assert not attempt(kubelet, "tiny-pretrain-a1"), "half a gang is left"
    kubelet.complete(again)
    until(lambda: stage(api, namespace, "pretrain").get("phase") == "Succeeded")
    status = api.get("TrainingRun", "tiny", namespace)["status"]
    told = {(one["number"], one["cause"]) for one in status["attempts"] if one["stage"] == "pretrain"}
    assert told == {(1, "Retry"), (2, "Completed")}
    assert stage(api, namespace, "pretrain")["restarts"] == 1


def test_a_preempted_stage_starts_again_at_once_and_it_costs_no_restart(
    api: Api, operator: Operator, namespace: str, kubelet: Kubelet, manifest: Object
) -> None:
    manifest["spec"]["tokenize"]["parallelism"] = 1  # a Job of several pods replaces them itself
    api.create(manifest)
    kubelet.fail(until(lambda: attempt(kubelet, "tiny-tokenize-a1")), ExitCode.PREEMPTED)

    def is_replaced() -> Object | None:
        kubelet.collect_garbage()
        return attempt(kubelet, "tiny-tokenize-a2")

    until(is_replaced, 15)
    told = stage(api, namespace, "tokenize")
    assert (told.get("restarts", 0), told["preemptions"]) == (0, 1)


def test_bad_data_fails_the_run_in_the_workers_own_words(
    api: Api, operator: Operator, namespace: str, kubelet: Kubelet, manifest: Object
) -> None:
    api.create(manifest)
    words = Result(ExitCode.BAD_DATA, "BadData", "raw/en has no parquet file: check data[0].path.")
    kubelet.fail(until(lambda: attempt(kubelet, "tiny-tokenize-a1")), ExitCode.BAD_DATA, words)
    until(lambda: api.get("TrainingRun", "tiny", namespace)["status"]["phase"] == "Failed")
    described = api.kubectl("describe", "trainingrun", "tiny", "-n", namespace)
    assert "raw/en has no parquet file: check data[0].path." in described
    assert all(is_over(one) for one in kubelet.work())


def test_a_job_that_somebody_deletes_is_made_again(
    api: Api, operator: Operator, namespace: str, kubelet: Kubelet, manifest: Object
) -> None:
    api.create(manifest)
    first = until(lambda: attempt(kubelet, "tiny-tokenize-a1"))
    api.delete("Job", "tiny-tokenize-a1", namespace, **GARBAGE)

    def is_made_again() -> bool:
        found = attempt(kubelet, "tiny-tokenize-a1")
        return found is not None and found["metadata"]["uid"] != first["metadata"]["uid"]

    until(is_made_again)


def test_a_pod_on_a_lost_node_ends_the_attempt_and_is_let_go(
    api: Api, operator: Operator, namespace: str, kubelet: Kubelet, manifest: Object
) -> None:
    node = f"{namespace}-node"
    create_node(api, node)
    kubelet.node = node
    api.create(manifest)
    pod = kubelet.start(until(lambda: attempt(kubelet, "tiny-tokenize-a1")))[0]
    set_node_ready(api, node, "Unknown")
    kubelet.set_pod(pod, {"conditions": [{"type": "Ready", "status": "False", "reason": "NodeNotReady"}]})
    until(lambda: stage(api, namespace, "tokenize").get("reason") == "NodeLost")
    # Nobody answers for the node: a pod that is deleted stays, until the operator lets it go.
    name = pod["metadata"]["name"]
    api.delete("Pod", name, namespace, gracePeriodSeconds=1)
    until(lambda: not api.exists("Pod", name, namespace), 30)


def test_two_restarts_of_the_operator_change_nothing(
    api: Api, operator: Operator, namespace: str, kubelet: Kubelet, manifest: Object
) -> None:
    api.create(manifest)
    for name in ("tiny-tokenize-a1", "tiny-pretrain-a1"):
        work = until(functools.partial(attempt, kubelet, name))
        kubelet.start(work)
        operator.kill()
        kubelet.complete(work)
        operator.start().wait_until_ready()
    kubelet.play(lambda: api.get("TrainingRun", "tiny", namespace)["status"]["phase"] == "Succeeded")
    attempts = api.get("TrainingRun", "tiny", namespace)["status"]["attempts"]
    assert {one["cause"] for one in attempts} == {"Completed"}


def test_a_strangers_pod_with_the_runs_labels_moves_nothing(
    api: Api, operator: Operator, namespace: str, kubelet: Kubelet, manifest: Object
) -> None:
    run = api.create(manifest)
    pod = kubelet.start(until(lambda: attempt(kubelet, "tiny-tokenize-a1")))[0]
    until(lambda: stage(api, namespace, "tokenize").get("phase") == "Running")
    # Copied for debugging: the labels are all there, the owner is nobody, or a Job of the user's own.
    theirs = {"apiVersion": "batch/v1", "kind": "Job", "name": "debug", "uid": "4b7b", "controller": True}
    for name, owners in (("copy", []), ("debug", [theirs])):
        kept = {key: pod["metadata"][key] for key in ("labels", "annotations", "namespace")}
        spec = {key: pod["spec"][key] for key in ("containers", "volumes", "nodeName", "serviceAccountName")}
        metadata = {"name": name, "ownerReferences": owners, **kept}
        copy = api.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
        report = Stage(api, namespace, run, copy)
        assert send(operator, report.report(), report.token()) == 403
        kubelet.end_pod(copy, ExitCode.BAD_DATA, Result(ExitCode.BAD_DATA, "BadData", "A stranger's.").to_json())
    time.sleep(3)
    told = stage(api, namespace, "tokenize")
    assert (told["phase"], told["attempt"], told.get("restarts", 0)) == ("Running", 1, 0)
    kubelet.complete(until(lambda: attempt(kubelet, "tiny-tokenize-a1")))
    until(lambda: stage(api, namespace, "tokenize")["phase"] == "Succeeded")
