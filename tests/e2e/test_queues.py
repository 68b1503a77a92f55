"""Jobs in a queue on the real cluster: the controllers of Jobs and PyTorchJobs are real, the test plays Kueue."""

import json
from collections.abc import Callable
from typing import Any

from e2e.installation import get, kubectl
from e2e.trial import NAMESPACE, Trial

HELD = {"Job": lambda yes: {"suspend": yes}, "PyTorchJob": lambda yes: {"runPolicy": {"suspend": yes}}}


def hold(kind: str, name: str, yes: bool) -> None:
    """What Kueue does: admit work, or take its admission back."""
    patch = json.dumps({"spec": HELD[kind](yes)})
    kubectl("patch", kind, name, "-n", NAMESPACE, "--type=merge", "-p", patch)


def queued(run: Trial, kind: str, stage: str, attempt: int = 1) -> str:
    """The name of work that waits in the queue."""
    name = f"{run.name}-{stage}-a{attempt}"
    run.until_attempt(stage, attempt, 120)
    run.until(f"{name} waits in the queue", lambda: run.stage(stage).get("reason") == "Queued", 60)
    work = get(kind, name, "-n", NAMESPACE)
    assert work["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team-a"
    assert pods_of(run, stage, attempt) == []
    return name


def pods_of(run: Trial, stage: str, attempt: int) -> list[dict[str, Any]]:
    return [pod for pod in run.pods(stage) if pod["metadata"]["labels"]["trainingrun.dev/attempt"] == str(attempt)]


def test_a_gang_waits_for_its_admission_saves_when_that_is_taken_back_and_goes_on(trial: Callable[..., Trial]) -> None:
    run = trial("queued", steps=240, seed=232)
    run.spec["scheduling"] = {"queueName": "team-a"}
    run.apply()
    hold("Job", queued(run, "Job", "tokenize"), False)
    run.until_stage("tokenize", "Succeeded", 120)

    gang = queued(run, "PyTorchJob", "pretrain")
    assert "waits in queue team-a" in run.stage("pretrain")["message"]
    hold("PyTorchJob", gang, False)
    run.until_step(20, 180)
    hold("PyTorchJob", gang, True)

    again = queued(run, "PyTorchJob", "pretrain", 2)
    stage = run.stage("pretrain")
    assert (stage.get("restarts", 0), stage["preemptions"]) == (0, 1)
    attempt = next(one for one in run.status()["attempts"] if one["stage"] == "pretrain")
    assert attempt["cause"] == "Dequeued"
    hold("PyTorchJob", again, False)
    run.until_step(40, 180)
    assert pods_of(run, "pretrain", 2)
