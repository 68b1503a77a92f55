"""Reports of pods: taken with the right token, refused with any other, and told in the status and the metrics."""

import dataclasses
import json
from typing import Any

import pytest

from control_plane.api import Api, Object, until
from control_plane.conftest import create_claim
from control_plane.kubelet import Kubelet, now
from control_plane.operator_process import Operator
from trainingrun.api import names
from trainingrun_workers.contract import Answer, Snapshot

TIME = 1_900_000_000.0


@dataclasses.dataclass
class Stage:
    """A running stage with one of its pods."""

    api: Api
    namespace: str
    run: Object
    pod: Object

    def report(self, **fields: Any) -> bytes:
        """A snapshot of the pod."""
        uid = self.run["metadata"]["uid"]
        snapshot = Snapshot(self.namespace, "tiny", uid, "tokenize", 1, 0, TIME, step=3, total=12)
        return dataclasses.replace(snapshot, **fields).to_json().encode()

    def token(self, audience: str = names.TOKEN_AUDIENCE, **of: Any) -> str:
        """A token of the pod's service account, bound to the pod."""
        pod = of.get("pod", self.pod)
        namespace = pod["metadata"]["namespace"] if pod else self.namespace
        return self.api.token("default", namespace, pod, audience)


@pytest.fixture
def stage(api: Api, operator: Operator, namespace: str, kubelet: Kubelet, manifest: Object) -> Stage:
    """A run whose tokenize stage has running pods."""
    run = api.create(manifest)
    pods = kubelet.start(until(kubelet.work)[0])
    return Stage(api, namespace, run, pods[0])


def send(operator: Operator, body: bytes, token: str) -> int:
    return operator.answer(names.REPORT_PATH, body, token)[0]


def progress(api: Api, namespace: str) -> str:
    return str(api.get("TrainingRun", "tiny", namespace)["status"].get("progress"))


def test_a_report_reaches_the_status_and_the_metrics(api: Api, operator: Operator, stage: Stage) -> None:
    assert send(operator, stage.report(), stage.token()) == 204
    until(lambda: progress(api, stage.namespace) == "3/12", 30)
    until(lambda: f'trainingrun_stage_step{{namespace="{stage.namespace}"' in operator.answer("/metrics")[1], 10)


def test_a_number_that_is_none_breaks_nothing(api: Api, operator: Operator, stage: Stage) -> None:
    body = stage.report(step=4, loss=float("nan"))
    assert b"NaN" in body
    assert send(operator, body, stage.token()) == 204
    until(lambda: progress(api, stage.namespace) == "4/12", 30)


def test_a_report_without_a_token_or_with_a_made_up_one_is_refused(operator: Operator, stage: Stage) -> None:
    assert send(operator, stage.report(), "") == 401
    assert send(operator, stage.report(), "made-up") == 401


def test_a_token_for_another_audience_is_refused(operator: Operator, stage: Stage) -> None:
    assert send(operator, stage.report(), stage.token(audience="")) == 401


def test_a_token_that_is_bound_to_no_pod_is_refused(operator: Operator, stage: Stage) -> None:
    assert send(operator, stage.report(), stage.token(pod=None)) == 401


def test_a_pod_of_another_namespace_is_refused(api: Api, operator: Operator, stage: Stage) -> None:
    other = f"{stage.namespace}-other"
    api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}})
    api.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": other}})
    create_claim(api, other)
    pod = api.create({**stranger(other), "metadata": {"name": "stranger", "namespace": other}})
    assert send(operator, stage.report(), stage.token(pod=pod)) == 403


def test_a_pod_that_is_not_of_the_run_is_refused(api: Api, operator: Operator, stage: Stage) -> None:
    pod = api.create(stranger(stage.namespace))
    assert send(operator, stage.report(), stage.token(pod=pod)) == 403


def test_a_pod_reports_on_its_own_attempt_only(operator: Operator, stage: Stage) -> None:
    assert send(operator, stage.report(attempt=2), stage.token()) == 403
    assert send(operator, stage.report(stage="pretrain"), stage.token()) == 403


def test_a_report_on_an_earlier_run_of_the_same_name_is_refused(operator: Operator, stage: Stage) -> None:
    assert send(operator, stage.report(uid="an-earlier-one"), stage.token()) == 404


def test_a_report_that_is_no_snapshot_or_too_long_is_refused(operator: Operator, stage: Stage) -> None:
    assert send(operator, b"[1, 2]", stage.token()) == 400
    assert send(operator, json.dumps({"namespace": 1}).encode(), stage.token()) == 400
    assert send(operator, stage.report(notes=("x" * 70_000,)), stage.token()) == 413


def stranger(namespace: str) -> Object:
    """A pod that belongs to no run."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "stranger", "namespace": namespace, "annotations": {"made": now()}},
        "spec": {"serviceAccountName": "default", "containers": [{"name": "it", "image": "registry.example/it:1"}]},
    }


def test_a_pretrain_pod_is_answered_what_is_to_be_kept_by_the_spec_as_it_is_now(
    api: Api, operator: Operator, stage: Stage, kubelet: Kubelet
) -> None:
    kubelet.complete(until(kubelet.work)[0])
    work = until(lambda: [one for one in kubelet.work() if one["kind"] == "PyTorchJob"])[0]
    master = kubelet.start(work)[0]
    body, token = stage.report(stage="pretrain", checkpoints=(0, 300)), stage.token(pod=master)

    def told() -> Answer | None:
        status, text = operator.answer(names.REPORT_PATH, body, token)
        return Answer.from_text(text) if status == 200 else None

    assert until(told) == Answer(keep_last=2)
    change = {"spec": {"pretrain": {"checkpoints": {"keepLast": 7, "keepEvery": 600, "keepBest": 2}}}}
    api.merge("TrainingRun", "tiny", change, stage.namespace)
    until(lambda: told() == Answer(7, 600, (0, 300)), 30)
