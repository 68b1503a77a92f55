"""What a cluster would do besides: the job controllers, the scheduler and the kubelet, played on an API server."""

import datetime
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from control_plane.api import Api, ApiError, Object
from trainingrun.api import names
from trainingrun_workers.contract import Result

GARBAGE = {"gracePeriodSeconds": 0, "propagationPolicy": "Background"}
WORK_KINDS = {"Job": "batch/v1", "PyTorchJob": names.KUBEFLOW_API_VERSION}

# What the worker of each kind of stage leaves as its last words.
OUTPUTS: dict[str, Callable[[Object], Object]] = {
    "tokenize": lambda spec: {"tokens": 1000, "documents": 10, "bytes": 2000, "estimateError": 0.02},
    "pretrain": lambda spec: {
        "checkpoints": list(range(0, spec["total_steps"] + 1, spec["checkpoint_every"])),
        "loss": 2.5,
    },
    "convert": lambda spec: {"converted": spec["steps"]},
    "evaluate": lambda spec: {
        "models": {one["name"]: {"scores": {task["name"]: 0.5 for task in spec["tasks"]}} for one in spec["models"]}
    },
    "sft": lambda spec: {"loss": 1.5},
    "dpo": lambda spec: {"loss": 0.5},
    "release": lambda spec: {"model": spec["name"]},
    "compare": lambda spec: {"evaluated": len(spec["models"])},
    "report": lambda spec: {"page": "report.html"},
}


def now() -> str:
    """The time as Kubernetes writes it."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Kubelet:
    """Plays, step by step, what happens to the objects of a namespace; nothing happens by itself."""

    def __init__(self, api: Api, namespace: str = "default") -> None:
        self.api, self.namespace, self.node = api, namespace, "node-1"

    def work(self) -> list[Object]:
        """Every Job and PyTorchJob."""
        found: list[Object] = []
        for kind, version in WORK_KINDS.items():
            try:
                found += [{**one, "kind": kind, "apiVersion": version} for one in self.api.list(kind, self.namespace)]
            except ApiError as error:
                assert error.status == 404, error  # the kind is not served
        return found

    def pods(self, work: Object) -> list[Object]:
        """The pods of a Job or PyTorchJob."""
        uid = work["metadata"]["uid"]
        owned = self.api.list("Pod", self.namespace)
        return [pod for pod in owned if any(one["uid"] == uid for one in pod["metadata"].get("ownerReferences", []))]

    def start(self, work: Object) -> list[Object]:
        """Make the pods of a Job or PyTorchJob and let them run."""
        pods = [self._start_pod(work, *one) for one in _replicas(work)]
        if work["kind"] == "Job":
            self._set_status(work, {"startTime": now(), "active": len(pods), "ready": len(pods)})
        return pods

    def _start_pod(self, work: Object, suffix: str, labels: Object, template: Object) -> Object:
        metadata, source = template["metadata"], work["metadata"]
        owner = {"apiVersion": work["apiVersion"], "kind": work["kind"], "name": source["name"], "uid": source["uid"]}
        pod = self.api.create(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": f"{source['name']}-{suffix}",
                    "namespace": self.namespace,
                    "labels": {**metadata["labels"], **labels},
                    "annotations": {**metadata.get("annotations", {}), **labels},
                    "ownerReferences": [{**owner, "controller": True}],
                },
                "spec": {**template["spec"], "nodeName": self.node},
            }
        )
        self.run_pod(pod)
        return pod

    def run_pod(self, pod: Object) -> None:
        """Let a pod's container run."""
        running = {**_container(pod), "ready": True, "started": True, "state": {"running": {"startedAt": now()}}}
        ready = {"type": "Ready", "status": "True"}
        self.set_pod(pod, {"phase": "Running", "conditions": [ready], "containerStatuses": [running]})

    def hold_pod(self, pod: Object, waiting: Object) -> None:
        """Say why a pod's container can't start: reason and message."""
        held = {**_container(pod), "ready": False, "started": False, "state": {"waiting": waiting}}
        self.set_pod(pod, {"phase": "Pending", "containerStatuses": [held]})

    def remove(self, pod: Object) -> None:
        """Delete a pod at once."""
        self.api.delete("Pod", pod["metadata"]["name"], self.namespace, **GARBAGE)

    def set_pod(self, pod: Object, status: Object) -> None:
        """Change a pod's status."""
        self.api.merge("Pod", pod["metadata"]["name"], {"status": status}, self.namespace, "status")

    def end_pod(
        self, pod: Object, exit_code: int = 0, message: str = "", reason: str = "", conditions: Sequence[Object] = ()
    ) -> None:
        """Let a pod's container end; `conditions` are the pod's besides that it is not ready."""
        ended = {
            "exitCode": exit_code,
            "reason": reason or ("Completed" if exit_code == 0 else "Error"),
            "message": message,
            "startedAt": now(),
            "finishedAt": now(),
        }
        stopped = {**_container(pod), "ready": False, "started": False, "state": {"terminated": ended}}
        phase = "Succeeded" if exit_code == 0 else "Failed"
        not_ready = {"type": "Ready", "status": "False"}
        status = {"phase": phase, "conditions": [not_ready, *conditions], "containerStatuses": [stopped]}
        self.set_pod(pod, status)

    def complete(self, work: Object) -> None:
        """Let every pod of a Job or PyTorchJob end well, with the last words of its stage; and then itself."""
        document = self.stage_input(work)
        result = Result(0, "Completed", "Done.", output=OUTPUTS[document["kind"]](document["spec"]))
        self.finish(work, result.to_json())

    def finish(self, work: Object, words: str = "") -> None:
        """Let every pod of a Job or PyTorchJob end well with these last words; and then itself."""
        pods = self.pods(work) or self.start(work)
        for pod in pods:
            self.end_pod(pod, 0, words)
        self._end(work, len(pods))

    def fail(self, work: Object, exit_code: int = 1, result: Result | None = None) -> None:
        """Let one pod end badly, and then the Job or PyTorchJob."""
        pod = (self.pods(work) or self.start(work))[0]
        self.end_pod(pod, exit_code, result.to_json() if result else "")
        failed = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "lastTransitionTime": now()}
        if work["kind"] == "Job":
            target = {**failed, "type": "FailureTarget"}
            body = {"failed": 1, "active": 0, "ready": 0, "terminating": 0}
            self._set_status(work, {**body, "conditions": [target, failed]})
        else:
            self._set_status(work, {"conditions": [failed]})

    def _end(self, work: Object, pods: int) -> None:
        if work["kind"] == "PyTorchJob":
            done = {"type": "Succeeded", "status": "True", "lastTransitionTime": now(), "reason": "Done"}
            self._set_status(work, {"conditions": [done]})
            return
        met = {"type": "SuccessCriteriaMet", "status": "True", "lastTransitionTime": now(), "reason": "Done"}
        known = self.api.get("Job", work["metadata"]["name"], self.namespace).get("status", {})
        status: Object = {
            "startTime": known.get("startTime") or now(),
            "completionTime": now(),
            "succeeded": pods,
            "active": 0,
            "ready": 0,
            "terminating": 0,
            "conditions": [met, {**met, "type": "Complete"}],
        }
        if work["spec"].get("completionMode") == "Indexed":
            status["completedIndexes"] = f"0-{pods - 1}" if pods > 1 else "0"
        self._set_status(work, status)

    def _set_status(self, work: Object, status: Object) -> None:
        self.api.merge(work["kind"], work["metadata"]["name"], {"status": status}, self.namespace, "status")

    def stage_input(self, work: Object) -> Object:
        """The document that the work's pods would find."""
        found = self.api.get("ConfigMap", work["metadata"]["name"], self.namespace)
        return dict(json.loads(found["data"][names.INPUT_FILE]))

    def collect_garbage(self) -> None:
        """Delete what is owned by something that is gone, as the garbage collector would."""
        owners = {one["metadata"]["uid"] for one in (*self.work(), *self.api.list("TrainingRun", self.namespace))}
        for kind in ("Pod", "ConfigMap", *WORK_KINDS):
            for one in self._listed(kind):
                references = one["metadata"].get("ownerReferences") or []
                if references and references[0]["uid"] not in owners:
                    self.api.delete(kind, one["metadata"]["name"], self.namespace, **GARBAGE)

    def _listed(self, kind: str) -> list[Object]:
        try:
            return self.api.list(kind, self.namespace)
        except ApiError:
            return []

    def tick(self) -> bool:
        """Start what has no pods, complete what runs; whether anything was to be done."""
        self.collect_garbage()
        going = [one for one in self.work() if not is_over(one) and "deletionTimestamp" not in one["metadata"]]
        for work in going:
            try:
                self.complete(work)
            except ApiError as error:
                assert error.status in (404, 409), error  # it went away meanwhile
        return bool(going)

    def play(self, done: Callable[[], Any], seconds: float = 60.0) -> None:
        """Play until something is true."""
        deadline = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < deadline, f"not there after {seconds} s: {self.describe()}"
            if not self.tick():
                time.sleep(0.05)

    def describe(self) -> str:
        """What there is, for a test that fails."""
        runs = [
            {"name": one["metadata"]["name"], "status": one.get("status")}
            for one in self.api.list("TrainingRun", self.namespace)
        ]
        return json.dumps([runs, [one["metadata"]["name"] for one in self.work()]])


def _container(pod: Object) -> Object:
    """What the status says of a pod's only container whatever its state."""
    container = pod["spec"]["containers"][0]
    return {"name": container["name"], "image": container["image"], "imageID": "", "restartCount": 0}


def is_over(work: Object) -> bool:
    """Whether a Job or PyTorchJob has ended."""
    conditions = work.get("status", {}).get("conditions") or []
    ended = ("Complete", "Succeeded", "Failed")
    return any(one["type"] in ended and one["status"] == "True" for one in conditions)


def _replicas(work: Object) -> list[tuple[str, Object, Object]]:
    """A suffix, the controller's own labels and the template of each pod."""
    if work["kind"] == "Job":
        template = work["spec"]["template"]
        index = "batch.kubernetes.io/job-completion-index"
        return [(str(one), {index: str(one)}, template) for one in range(work["spec"]["completions"])]
    found = []
    for kind, replica in work["spec"]["pytorchReplicaSpecs"].items():
        for one in range(replica["replicas"]):
            prefix = "training.kubeflow.org/"
            labels = {f"{prefix}replica-type": kind.lower(), f"{prefix}replica-index": str(one)}
            found.append((f"{kind.lower()}-{one}", labels, replica["template"]))
    return found
