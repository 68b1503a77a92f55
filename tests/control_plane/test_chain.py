"""The whole chain on a real API server, the rest of the cluster played."""

from builders import a_manifest
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


def test_of_runs_that_share_sources_and_start_at_once_one_makes_them_and_then_all_others_go_on_at_once(
    api: Api, operator: Operator, namespace: str, kubelet: Kubelet
) -> None:
    languages = ("es", "fr", "it", "pt")
    for language in languages:
        english, other, code = a_manifest()["spec"]["data"]
        other |= {"name": f"handbook-{language}", "path": f"raw/{language}"}
        run = a_manifest(f"en-{language}", data=[english, other, code])
        run["metadata"]["namespace"] = namespace
        api.create(run)

    def stages() -> list[Object]:
        return [stage(api, namespace, f"en-{one}", "tokenize") for one in languages]

    until(lambda: sorted(str(one.get("reason")) for one in stages()) == [*["FolderInUse"] * 3, "Started"], 30)
    messages = [one["message"] for one in stages() if one["reason"] == "FolderInUse"]
    assert all("makes the same tokens of handbook-en, python on claim" in one for one in messages)
    (first,) = until(kubelet.work)
    kubelet.complete(first)
    until(lambda: [one["phase"] for one in stages()].count("Running") == 3, 30)
    tokens = [one["tokens"] for one in stages()]
    assert len({one["handbook-en"] for one in tokens}) == len({one["python"] for one in tokens}) == 1


def stage(api: Api, namespace: str, name: str, stage_name: str) -> Object:
    """A stage's status; empty before there is one."""
    stages = api.get("TrainingRun", name, namespace).get("status", {}).get("stages", [])
    return next((one for one in stages if one["name"] == stage_name), {})
