"""For each cause by which an attempt ends, a pod that ends so: fields of what is seen of it."""

from typing import Any, Final

from trainingrun_workers.contract import Result

CASES: Final[dict[str, dict[str, Any]]] = {
    "BadLoss": {"exit_code": 65, "result": Result(65, "NonFiniteLoss", "The loss is no number.", step=320)},
    "BadData": {"exit_code": 65},
    "BadConfig": {"exit_code": 78},
    "OutOfMemory": {"exit_code": 137, "ended_reason": "OOMKilled"},
    "NodeLost": {"phase": "Running", "exit_code": None, "ended_at": None, "node_ready": False},
    "Evicted": {"exit_code": 143, "disrupted": "PreemptionByScheduler"},
    "Preempted": {"exit_code": 143},
    "PodDeleted": {"phase": "Running", "exit_code": None, "ended_at": None, "deleting": True},
    "ContainerLost": {"exit_code": 137, "ended_reason": "ContainerStatusUnknown"},
    "Killed": {"exit_code": 137},
    "VolumeFull": {"exit_code": 75, "result": Result(75, "VolumeFull", "The volume is full.")},
    "PreflightTimeout": {"exit_code": 75, "result": Result(75, "PreflightTimeout", "The pre-flight hung.")},
    "BadNode": {"exit_code": 75, "result": Result(75, "BadNode", "Node node-1 is slow.", output={"node": "node-1"})},
    "VolumeSilent": {"exit_code": 75, "result": Result(75, "VolumeSilent", "The volume has answered nothing.")},
    "Retry": {"exit_code": 75},
    "Crashed": {"exit_code": 1},
    "PodFailed": {"exit_code": None},
}
