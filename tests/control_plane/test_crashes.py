"""Killed after any single write, the operator ends in the same final state."""

from pathlib import Path
from typing import Any

from control_plane.api import Api, Object
from control_plane.http_proxies import CrashPoint, serving
from control_plane.kubelet import Kubelet
from control_plane.operator_process import Operator, running, started
from trainingrun_workers.contract import ExitCode

SHORT = {"evaluate", "variants"}  # a chain of four stages, one of which starts twice, has every kind of write in it
LIMIT = 200


def short(manifest: Object) -> Object:
    """The run without what would only repeat the same."""
    return {**manifest, "spec": {key: value for key, value in manifest["spec"].items() if key not in SHORT}}


def final_state(api: Api, namespace: str) -> dict[str, Any]:
    """All that must not depend on crashes."""
    status = api.get("TrainingRun", "tiny", namespace)["status"]
    stages = [
        {key: one.get(key) for key in ("name", "phase", "attempt", "output", "folder")} for one in status["stages"]
    ]
    objects = {
        kind: sorted(one["metadata"]["name"] for one in api.list(kind, namespace))
        for kind in ("Job", "PyTorchJob", "ConfigMap", "Pod")
    }
    attempts = [(one["stage"], one["number"], one.get("cause")) for one in status["attempts"]]
    return {"phase": status["phase"], "stages": stages, "attempts": attempts, "objects": objects}


def succeeded(api: Api, namespace: str) -> bool:
    return bool(api.get("TrainingRun", "tiny", namespace).get("status", {}).get("phase") == "Succeeded")


class Preempting(Kubelet):
    """The first gang is told to stop, so that its objects are deleted and others made."""

    def complete(self, work: Object) -> None:
        if work["metadata"]["name"] == "tiny-pretrain-a1":
            self.fail(work, ExitCode.PREEMPTED)
        else:
            super().complete(work)


def test_killed_after_every_single_write_the_chain_ends_as_if_nothing_had_happened(
    api: Api, namespace: str, manifest: Object, tmp_path: Path
) -> None:
    kubelet = Preempting(api, namespace)
    api.create(short(manifest))
    with running(Operator(api, tmp_path / "calm")):
        kubelet.play(lambda: succeeded(api, namespace))
    undisturbed = final_state(api, namespace)
    api.delete("TrainingRun", "tiny", namespace)
    kubelet.collect_garbage()

    api.create(short(manifest))
    with serving(CrashPoint(api)) as point:
        operator = Operator(api, tmp_path / "crashing", server=point.server, namespaces=namespace)
        for _ in range(LIMIT):
            point.arm()
            with started(operator):
                kubelet.play(lambda: point.hit.is_set() or succeeded(api, namespace) or operator.has_ended())
            if succeeded(api, namespace):
                break
    # Of events none is among them: they follow the status that they tell of, and nothing follows from one.
    assert len(point.silenced) > 20 and "/leases/" in point.silenced[0], point.silenced
    assert {"PATCH", "DELETE", "PUT"} <= {one.split()[0] for one in point.silenced}, point.silenced
    assert ("pretrain", 1, "Preempted") in undisturbed["attempts"]
    assert final_state(api, namespace) == undisturbed, point.silenced
