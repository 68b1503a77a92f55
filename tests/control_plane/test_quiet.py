"""Where nothing changes nothing is written, and an end that is asked for comes soon."""

import time
from pathlib import Path

from control_plane.api import Api, Object, until
from control_plane.kubelet import Kubelet
from control_plane.operator_process import Operator, running


def versions(api: Api, namespace: str) -> dict[str, str]:
    kinds = ("TrainingRun", "Job", "PyTorchJob", "ConfigMap", "Pod", "Event", "PersistentVolumeClaim")
    found = [one for kind in kinds for one in api.list(kind, namespace)]
    return {one["metadata"]["uid"]: one["metadata"]["resourceVersion"] for one in found}


def test_a_run_that_stands_still_costs_no_write(
    api: Api, namespace: str, kubelet: Kubelet, manifest: Object, tmp_path: Path
) -> None:
    # Of one namespace: what other tests have left elsewhere is tried again now and then.
    with running(Operator(api, tmp_path, namespaces=namespace)) as operator:
        api.create(manifest)
        kubelet.start(until(kubelet.work)[0])
        until(lambda: "Running" in str(api.get("TrainingRun", "tiny", namespace)["status"]["stages"][0]["reason"]))
        time.sleep(2)
        before, writes = versions(api, namespace), operator.metric("trainingrun_api_writes_total")
        time.sleep(10)
        assert versions(api, namespace) == before
        assert operator.metric("trainingrun_api_writes_total") == writes


def test_the_operator_writes_nothing_but_the_status_on_a_run(
    api: Api, operator: Operator, namespace: str, kubelet: Kubelet, manifest: Object
) -> None:
    api.create(manifest)
    until(kubelet.work)
    metadata = api.get("TrainingRun", "tiny", namespace)["metadata"]
    assert "finalizers" not in metadata
    assert "annotations" not in metadata
    assert metadata["generation"] == 1
    owners = {(one["manager"], one.get("subresource")) for one in metadata["managedFields"]}
    assert ("trainingrun-operator", "status") in owners
    assert ("trainingrun-operator", None) not in owners


def test_a_deleted_run_takes_its_objects_with_it_although_no_operator_is_there(
    api: Api, operator: Operator, namespace: str, kubelet: Kubelet, manifest: Object
) -> None:
    api.create(manifest)
    until(kubelet.work)
    operator.kill()
    api.delete("TrainingRun", "tiny", namespace)
    assert not api.exists("TrainingRun", "tiny", namespace), "a finalizer holds the run"
    kubelet.collect_garbage()
    assert not kubelet.work()


def test_a_told_operator_ends_within_five_seconds(
    api: Api, operator: Operator, namespace: str, kubelet: Kubelet, manifest: Object
) -> None:
    api.create(manifest)
    until(kubelet.work)
    assert operator.stop() <= 5.0
    assert operator.process is not None and operator.process.returncode == 0, operator.said()
