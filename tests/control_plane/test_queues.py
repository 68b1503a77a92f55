"""Jobs in a queue: the test plays Kueue, after its documented contract."""

import functools
import time

from control_plane.api import Api, Object, until
from control_plane.kubelet import GARBAGE, Kubelet
from control_plane.operator_process import Operator
from control_plane.test_failures import attempt, stage
from trainingrun.api import names

QUEUE = "team-a"
QUIET_SECONDS = 3.0  # long enough for several passes


class Queue:
    """What Kueue does to the Jobs and PyTorchJobs that carry its label."""

    def __init__(self, api: Api, kubelet: Kubelet) -> None:
        self.api, self.kubelet = api, kubelet

    def waiting(self, name: str) -> Object:
        """Work that waits in the queue, once it is there."""
        work: Object = until(functools.partial(attempt, self.kubelet, name))
        assert work["metadata"]["labels"][names.LABEL_QUEUE] == QUEUE
        assert is_suspended(work)
        assert not self.kubelet.pods(work)
        return work

    def admit(self, work: Object) -> Object:
        """Let work go on, on the nodes of the quota that it got."""
        flavor = {"nodeSelector": {"pool": "reserved"}}
        if work["kind"] == "Job":
            return self._change(work, {"suspend": False, "template": {"spec": flavor}})
        replicas = work["spec"]["pytorchReplicaSpecs"]
        placed = {kind: {"template": {"spec": {**one["template"]["spec"], **flavor}}} for kind, one in replicas.items()}
        return self._change(work, {"runPolicy": {"suspend": False}, "pytorchReplicaSpecs": placed})

    def take_back(self, work: Object) -> None:
        """Suspend work again, as for a run of higher priority; its controller deletes the pods, which save and end."""
        pods = self.kubelet.pods(work)
        held = {"runPolicy": {"suspend": True}} if work["kind"] == "PyTorchJob" else {"suspend": True}
        self._change(work, held)
        for pod in pods:
            self.kubelet.end_pod(pod, 143)

    def _change(self, work: Object, spec: Object) -> Object:
        name = work["metadata"]["name"]
        changed = self.api.merge(work["kind"], name, {"spec": spec}, self.kubelet.namespace)
        return {**changed, "kind": work["kind"], "apiVersion": work["apiVersion"]}


def is_suspended(work: Object) -> bool:
    spec = work["spec"]
    return bool(spec.get("suspend") or spec.get("runPolicy", {}).get("suspend"))


def test_work_waits_in_the_queue_runs_when_it_is_admitted_and_queues_again_when_that_is_taken_back(
    api: Api, operator: Operator, namespace: str, kubelet: Kubelet, manifest: Object
) -> None:
    manifest["spec"]["scheduling"] = {"queueName": QUEUE}
    api.create(manifest)
    queue = Queue(api, kubelet)
    tokenize = queue.waiting("tiny-tokenize-a1")
    until(lambda: stage(api, namespace, "tokenize").get("reason") == "Queued")
    assert "waits in queue team-a" in stage(api, namespace, "tokenize")["message"]
    kubelet.complete(queue.admit(tokenize))

    gang = queue.admit(queue.waiting("tiny-pretrain-a1"))
    kubelet.start(gang)
    until(lambda: stage(api, namespace, "pretrain").get("reason") == "Running")
    queue.take_back(gang)

    def is_replaced() -> Object | None:
        kubelet.collect_garbage()
        return attempt(kubelet, "tiny-pretrain-a2")

    until(is_replaced, 60)
    queue.waiting("tiny-pretrain-a2")
    until(lambda: stage(api, namespace, "pretrain").get("reason") == "Queued")
    told = stage(api, namespace, "pretrain")
    assert (told.get("restarts", 0), told["preemptions"]) == (0, 1)
    attempts = api.get("TrainingRun", "tiny", namespace)["status"]["attempts"]
    assert {(one["stage"], one.get("cause")) for one in attempts} == {
        ("tokenize", "Completed"), ("pretrain", "Dequeued"), ("pretrain", None),
    }  # fmt: skip


def test_the_operator_never_undoes_what_the_queue_has_done_not_even_after_a_restart(
    api: Api, operator: Operator, namespace: str, kubelet: Kubelet, manifest: Object
) -> None:
    manifest["spec"]["scheduling"] = {"queueName": QUEUE}
    api.create(manifest)
    admitted = Queue(api, kubelet).admit(Queue(api, kubelet).waiting("tiny-tokenize-a1"))
    operator.kill()
    operator.start().wait_until_ready()
    api.merge("TrainingRun", "tiny", {"metadata": {"annotations": {"look": "again"}}}, namespace)
    api.merge("TrainingRun", "tiny", {"spec": {"release": {"license": "mit"}}}, namespace)
    time.sleep(QUIET_SECONDS)
    now = attempt(kubelet, "tiny-tokenize-a1")
    assert now is not None
    assert now["metadata"]["resourceVersion"] == admitted["metadata"]["resourceVersion"]
    assert now["spec"]["template"]["spec"]["nodeSelector"] == {"pool": "reserved"}


def test_a_run_that_is_deleted_while_it_waits_leaves_the_queue(
    api: Api, operator: Operator, namespace: str, kubelet: Kubelet, manifest: Object
) -> None:
    manifest["spec"]["scheduling"] = {"queueName": QUEUE}
    api.create(manifest)
    Queue(api, kubelet).waiting("tiny-tokenize-a1")
    api.delete("TrainingRun", "tiny", namespace, **GARBAGE)

    def is_empty() -> bool:
        kubelet.collect_garbage()
        return not kubelet.work()

    until(is_empty)


def test_only_a_claim_that_is_to_go_with_its_run_is_owned_by_it(
    api: Api, operator: Operator, namespace: str, manifest: Object
) -> None:
    for name, policy, kinds in (("kept", "Retain", []), ("gone", "Delete", ["TrainingRun"])):
        manifest["metadata"]["name"] = name
        manifest["spec"]["storage"] = {"claim": {"size": "1Gi"}, "deletionPolicy": policy}
        run = api.create(manifest)
        until(functools.partial(api.exists, "PersistentVolumeClaim", name, namespace))
        owners = api.get("PersistentVolumeClaim", name, namespace)["metadata"].get("ownerReferences", [])
        assert [one["kind"] for one in owners] == kinds
        assert {one["uid"] for one in owners} <= {run["metadata"]["uid"]}
        api.delete("TrainingRun", name, namespace)
        until(lambda one=name: not api.exists("TrainingRun", one, namespace), 10)  # no finalizer holds it
