"""Gangs without room, and nodes that are avoided, against a real API server."""

from control_plane.api import Api, Object, until
from control_plane.kubelet import Kubelet
from control_plane.operator_process import Operator
from control_plane.test_failures import attempt, stage
from trainingrun_workers.contract import Result

REFUSAL = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."


def condition(api: Api, namespace: str, kind: str) -> Object:
    conditions = api.get("TrainingRun", "tiny", namespace)["status"]["conditions"]
    found: Object = next(one for one in conditions if one["type"] == kind)
    return found


def test_half_a_gang_gives_back_its_pods_and_is_tried_again(
    api: Api, operator: Operator, namespace: str, kubelet: Kubelet, manifest: Object
) -> None:
    manifest["spec"]["pretrain"]["recovery"] = {"schedulingTimeout": "3s"}
    api.create(manifest)
    kubelet.complete(until(lambda: attempt(kubelet, "tiny-tokenize-a1")))
    gang = until(lambda: attempt(kubelet, "tiny-pretrain-a1"))
    kubelet.node = ""
    refused = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": REFUSAL}
    for pod in kubelet.start(gang):
        kubelet.set_pod(pod, {"phase": "Pending", "conditions": [refused], "containerStatuses": []})
    until(lambda: attempt(kubelet, "tiny-pretrain-a1") is None, 30)
    stalled = condition(api, namespace, "Stalled")
    assert (stalled["status"], stalled["reason"]) == ("True", "Unschedulable")
    assert REFUSAL in stalled["message"]
    told = stage(api, namespace, "pretrain")
    assert (told["phase"], told.get("restarts", 0), told["waits"]) == ("Waiting", 0, 1)
    kubelet.node = "node-1"

    def is_tried_again() -> Object | None:
        kubelet.collect_garbage()
        return attempt(kubelet, "tiny-pretrain-a2")

    kubelet.complete(until(is_tried_again, 60))
    until(lambda: stage(api, namespace, "pretrain")["phase"] == "Succeeded")


def test_a_full_volume_is_waited_for(
    api: Api, operator: Operator, namespace: str, kubelet: Kubelet, manifest: Object
) -> None:
    api.create(manifest)
    words = Result(75, "VolumeFull", "The volume has 3 MiB left: make room on it.")
    kubelet.fail(until(lambda: attempt(kubelet, "tiny-tokenize-a1")), 75, words)
    until(lambda: stage(api, namespace, "tokenize")["phase"] == "Waiting")
    stalled = condition(api, namespace, "Stalled")
    assert (stalled["status"], stalled["reason"]) == ("True", "VolumeFull")
    assert "The volume has 3 MiB left: make room on it." in stalled["message"]

    def is_tried_again() -> Object | None:
        kubelet.collect_garbage()
        return attempt(kubelet, "tiny-tokenize-a2")

    kubelet.complete(until(is_tried_again, 60))
    until(lambda: stage(api, namespace, "tokenize")["phase"] == "Succeeded")
    assert stage(api, namespace, "tokenize").get("restarts", 0) == 0


def test_a_node_that_failed_twice_is_left_out_of_the_next_gang(
    api: Api, operator: Operator, namespace: str, kubelet: Kubelet, manifest: Object
) -> None:
    manifest["spec"]["pretrain"]["recovery"] = {"backoff": "1s"}
    api.create(manifest)
    kubelet.complete(until(lambda: attempt(kubelet, "tiny-tokenize-a1")))
    for number in (1, 2):

        def is_made(name: str = f"tiny-pretrain-a{number}") -> Object | None:
            kubelet.collect_garbage()
            return attempt(kubelet, name)

        pods = kubelet.start(until(is_made, 60))
        kubelet.end_pod(pods[0], 128, reason="StartError")

    def is_third() -> Object | None:
        kubelet.collect_garbage()
        return attempt(kubelet, "tiny-pretrain-a3")

    gang = until(is_third, 60)
    assert api.get("TrainingRun", "tiny", namespace)["status"]["avoidedNodes"] == ["node-1"]
    kubelet.node = "node-2"
    for pod in kubelet.start(gang):  # the API server looks at what is asked of the scheduler
        affinity = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        fields = [{"key": "metadata.name", "operator": "NotIn", "values": ["node-1"]}]
        assert affinity == {"nodeSelectorTerms": [{"matchFields": fields}]}
    assert "NodeAvoided" in api.kubectl("get", "events", "-n", namespace)


def test_nodes_that_the_preflight_names_are_left_out_of_the_next_gang(
    api: Api, operator: Operator, namespace: str, kubelet: Kubelet, manifest: Object
) -> None:
    manifest["spec"]["pretrain"]["recovery"] = {"backoff": "1s"}
    api.create(manifest)
    kubelet.complete(until(lambda: attempt(kubelet, "tiny-tokenize-a1")))
    output = {"node": "node-7", "nodes": ["node-7", "node-9"]}
    words = Result(75, "BadNode", "Nodes node-7 and node-9 let the gang down.", output=output)
    kubelet.fail(until(lambda: attempt(kubelet, "tiny-pretrain-a1")), 75, words)

    def is_second() -> Object | None:
        kubelet.collect_garbage()
        return attempt(kubelet, "tiny-pretrain-a2")

    until(is_second, 60)
    status = api.get("TrainingRun", "tiny", namespace)["status"]
    assert status["avoidedNodes"] == output["nodes"]
    assert status["avoidedBecause"] == dict.fromkeys(output["nodes"], words.message)
    assert "node-7 and node-9 from now on" in api.kubectl("get", "events", "-n", namespace, "-o", "wide")
