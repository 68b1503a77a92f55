"""The whole chain on a real API server, the rest of the cluster played."""

from control_plane.api import Api, Object, until
from control_plane.kubelet import Kubelet
from control_plane.operator_process import Operator


def phase(api: Api, namespace: str, name: str = "tiny") -> str:
    return str(api.get("TrainingRun", name, namespace).get("status", {}).get("phase", ""))


def test_a_run_goes_through_every_stage_to_its_end(
    api: Api, operator: Operator, namespace: str, kubelet: Kubelet, manifest: Object
) -> None:
    api.create(manifest)
    kubelet.play(lambda: phase(api, namespace) == "Succeeded")
    status = api.get("TrainingRun", "tiny", namespace)["status"]
    assert {stage["phase"] for stage in status["stages"]} == {"Succeeded"}
    assert {stage["attempt"] for stage in status["stages"] if stage["kind"] in ("pretrain", "tokenize")} == {1}
    assert [one["step"] for one in status["checkpoints"]] == [0, 300, 600, 900]
    told = {"StageStarted", "StageSucceeded", "CheckpointEvaluated", "Succeeded"}
    # Events are written after the status that they tell of.
    until(lambda: told <= {one["reason"] for one in api.list("Event", namespace)}, 30)
