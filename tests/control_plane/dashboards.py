"""`trainingrun dashboard` as a process, and runs in several states for it to show."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from builders import REPOSITORY, a_manifest
from control_plane.api import Api, Object, until
from control_plane.kubelet import Kubelet
from control_plane.operator_process import Operator
from trainingrun.api import names
from trainingrun_workers.contract import Result, Snapshot

BUSY = "a-long-name-of-a-run-that-trains"  # as long as a run's name may be
MARKUP = "<img src=x onerror=document.title='markup'>"
TASK = "a_task_with_quite_a_long_name_{}_of_some_benchmark/acc_norm"


@contextmanager
def dashboard(kubeconfig: Path, *arguments: str) -> Iterator[str]:
    """The address of a dashboard that runs with a kubeconfig."""
    command = [sys.executable, "-m", "trainingrun.cli", "dashboard", "--kubeconfig", str(kubeconfig), *arguments]
    paths = f"{REPOSITORY / 'operator'}:{REPOSITORY / 'workers'}"
    environment = {"PATH": os.environ["PATH"], "HOME": str(kubeconfig.parent), "PYTHONPATH": paths}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def asked(address: str) -> Any:
    """A JSON document of the dashboard."""
    with urllib.request.urlopen(address, timeout=60) as answer:
        return json.loads(answer.read())


def kubeconfig(api: Api, file: Path, server: str | None = None, token: str | None = None) -> Path:
    """The administrator's kubeconfig, or one with a token, for the API server or a wire to it."""
    document = yaml.safe_load(api.kubeconfig.read_text())
    document["clusters"][0]["cluster"] = {"server": server or api.server, "certificate-authority": api.authority}
    user = {"client-certificate": api.certificate, "client-key": api.private_key}
    document["users"][0]["user"] = {"token": token} if token else user
    file.write_text(yaml.safe_dump(document))
    return file


def manifest(namespace: str, name: str, **spec: Any) -> Object:
    """A run that shares no folder with another."""
    made = a_manifest(name, **spec)
    made["metadata"]["namespace"] = namespace
    for source in made["spec"]["data"]:
        source["path"] += f"/{name}"
    made["spec"]["pretrain"]["recovery"]["backoff"] = "1s"
    return made


def runs_in_states(api: Api, operator: Operator, kubelet: Kubelet) -> None:
    """Runs that a real operator has led to their states: `done`, `bad`, `still` and BUSY, which trains again."""
    namespace = kubelet.namespace
    api.create(manifest(namespace, "done", variants=None))
    kubelet.play(lambda: _status(api, namespace, "done").get("phase") == "Succeeded", 120)
    api.create(manifest(namespace, "still", suspend=True))
    api.create(manifest(namespace, "bad"))
    kubelet.fail(_work(kubelet, "bad", "tokenize"), 65, Result(65, "BadData", "The file raw/en/a.parquet is torn."))
    api.create(manifest(namespace, BUSY))
    kubelet.complete(_work(kubelet, BUSY, "tokenize"))
    first = _work(kubelet, BUSY, "pretrain")
    kubelet.start(first)
    kubelet.fail(first, 137)
    pods = kubelet.start(_work(kubelet, BUSY, "pretrain", 2))
    _report(api, operator, namespace, pods[0], step=310, total=900, loss=5.25, tokens_per_second=8000.0,
            eta_seconds=75.0, checkpoint=300, checkpoints=(0, 300), activity="training")  # fmt: skip
    until(lambda: _status(api, namespace, BUSY).get("progress") == "310/900", 30)
    until(lambda: _status(api, namespace, "bad").get("phase") == "Failed", 30)
    until(lambda: _status(api, namespace, "still").get("phase") == "Suspended", 30)


def a_run_full_of_everything(api: Api, namespace: str) -> None:
    """`full`: as much as a status may hold, and markup where people write; and `new`, which no operator has seen.

    For the time when no operator runs, which would write a status of its own.
    """
    api.create(manifest(namespace, "new"))
    api.create(manifest(namespace, "full"))
    status = json.loads(json.dumps(_status(api, namespace, "done")))
    scores = {TASK.format(one): 0.25 + one / 100 for one in range(24)}
    status["checkpoints"] = [
        {"step": 10_000_000 + 1000 * one, "converted": True, "scores": scores} for one in range(40)
    ]
    begun = time.time() - 200_000
    status["attempts"] = [
        {"stage": "pretrain", "number": 181 + one, "startedAt": _time(begun + 9000 * one),
         "endedAt": _time(begun + 9000 * one + 8000), "cause": ("NodeLost", "Preempted", "Crashed")[one % 3],
         "message": MARKUP, "node": "a-node-with-quite-a-long-name.in-some-region.example.internal", "step": 1000 * one}
        for one in range(20)
    ]  # fmt: skip
    status["stages"][1] |= {"phase": "Running", "attempt": 201, "startedAt": _time(begun - 50_000)}
    status |= {"phase": "Running", "stage": "pretrain", "restarts": 200, "warnings": [MARKUP]}
    nodes = [f"a-node-with-quite-a-long-name-{one}.in-some-region.example.internal" for one in range(16)]
    status |= {"avoidedNodes": nodes, "avoidedBecause": {nodes[0]: MARKUP}}
    status["gpuHours"] = {"useful": 12_345.5, "lost": {"NodeLost": 321.25, "Crashed": 12.0}}
    api.merge("TrainingRun", "full", {"status": status}, namespace, "status")


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def _status(api: Api, namespace: str, name: str) -> Object:
    return dict(api.get("TrainingRun", name, namespace).get("status") or {})


def _work(kubelet: Kubelet, run: str, stage: str, attempt: int = 1) -> Object:
    """An attempt's object, once it is there."""
    wanted = {names.LABEL_RUN: run, names.LABEL_STAGE: stage, names.LABEL_ATTEMPT: str(attempt)}

    def found() -> Object | None:
        kubelet.collect_garbage()
        return next((one for one in kubelet.work() if wanted.items() <= one["metadata"]["labels"].items()), None)

    return dict(until(found, 30))


def _report(api: Api, operator: Operator, namespace: str, pod: Object, **fields: Any) -> None:
    labels, run = pod["metadata"]["labels"], pod["metadata"]["labels"][names.LABEL_RUN]
    uid = api.get("TrainingRun", run, namespace)["metadata"]["uid"]
    stage, attempt = labels[names.LABEL_STAGE], int(labels[names.LABEL_ATTEMPT])
    snapshot = Snapshot(namespace, run, uid, stage, attempt, 0, time.time(), **fields)
    token = api.token(pod["spec"].get("serviceAccountName", "default"), namespace, pod, names.TOKEN_AUDIENCE)
    until(lambda: operator.answer(names.REPORT_PATH, snapshot.to_json().encode(), token)[0] in (200, 204), 30)
