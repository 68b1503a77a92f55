"""The commands that act on a run, and those that look at the cluster, as a user types them on the real cluster."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from e2e.installation import RELEASE, SYSTEM_NAMESPACE, environment, run
from e2e.trial import CLAIM, NAMESPACE, REPOSITORY, Trial

TOGETHER = os.pathsep.join(str(REPOSITORY / part) for part in ("operator", "workers"))
STEPS = 400


def trainingrun(*words: str, code: int = 0) -> str:
    """What the command prints, before whose name stands where it looks."""
    done = subprocess.run(
        [sys.executable, "-m", "trainingrun.cli", "-n", NAMESPACE, *words],
        env=environment() | {"PYTHONPATH": TOGETHER, "COLUMNS": "100"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def checkpoint(trial: Trial) -> int:
    """The newest checkpoint that the run has told of."""
    return int((trial.stage("pretrain").get("progress") or {}).get("checkpoint") or 0)


def test_a_run_is_suspended_resumed_sent_back_and_what_it_made_is_freed(trial: Callable[..., Trial]) -> None:
    made = trial("commanded", steps=STEPS, seed=317)
    made.spec["pretrain"]["config"]["checkpoints"]["checkpoint_interval"] = 50
    made.spec["pretrain"]["checkpoints"] = {"keepLast": 20}
    made.apply()
    made.until("a checkpoint", lambda: checkpoint(made) >= 50, 240)

    said = trainingrun("suspend", made.name, "--yes")
    assert "pretrain" in said and "trainingrun resume commanded" in said
    made.until_phase("Suspended", 120)
    assert "Suspended" in trainingrun("status", made.name)
    assert "pretrain" in trainingrun("resume", made.name, "--yes")
    made.until("its second attempt trains", lambda: trains(made, 2), 180)

    said = trainingrun("restart-from", made.name, "50", "--yes")
    assert "step" in said
    made.until("it goes on from step 50", lambda: trains(made, 3), 180)
    assert "step 400/400" not in trainingrun("logs", made.name, "pretrain", "--rank", "0")
    made.until_stage("pretrain", "Succeeded", 300)
    assert "complete" in failure("restart-from", made.name, "50", "--yes")
    assert "complete" in failure("retry", made.name, "pretrain", "--yes")

    folder = made.stage("pretrain")["folder"]
    assert folder in listed()
    made.delete()
    freed = json.loads(trainingrun("gc", CLAIM, "--older-than", "0", "--yes", "-o", "json"))
    assert folder in freed["removed"]
    assert folder not in listed()


def trains(trial: Trial, number: int) -> bool:
    """Whether this attempt of pretraining has reported steps of its own.

    A stage that is about to start still tells what the attempt before it had said.
    """
    status, stage = trial.status(), trial.stage("pretrain")
    began = [one["startedAt"] for one in status["attempts"] if (one["stage"], one["number"]) == ("pretrain", number)]
    progress = stage["progress"]
    return bool(began) and progress["advancedAt"] > began[0] and 0 < progress["step"] < STEPS


def failure(*words: str) -> str:
    """What a command says that refuses."""
    done = subprocess.run(
        [sys.executable, "-m", "trainingrun.cli", "-n", NAMESPACE, *words],
        env=environment() | {"PYTHONPATH": TOGETHER}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stderr


def listed() -> set[str]:
    """The folders that the claim has."""
    return {one["path"] for one in json.loads(trainingrun("artifacts", CLAIM, "-o", "json"))["artifacts"]}


def test_the_cluster_is_fit_for_what_runs_here(trial: Callable[..., Trial]) -> None:
    found: dict[str, Any] = json.loads(trainingrun("doctor", "-o", "json", code=1))
    by_name = {one["check"]: one["level"] for one in found["findings"]}
    assert {by_name[name] for name in ("kubernetes", "rights", "definition", "operator", "images")} == {"ok"}
    assert by_name["nodes"] == "fail"  # no GPU here


def test_the_chart_s_own_test_passes(trial: Callable[..., Trial]) -> None:
    said = run(["helm", "test", RELEASE, "--namespace", SYSTEM_NAMESPACE, "--timeout", "90s"])
    assert "Succeeded" in said
