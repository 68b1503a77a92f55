"""The commands that act on a run, and those that look at the cluster, as a user types them on the real cluster."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from e2e import volume
from e2e.installation import RELEASE, SYSTEM_NAMESPACE, environment, run
from e2e.test_faults import has_each_step_once
from e2e.trial import CLAIM, NAMESPACE, REPOSITORY, Trial

TOGETHER = os.pathsep.join(str(REPOSITORY / part) for part in ("operator", "workers"))
STEPS = 300


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


def test_a_run_is_suspended_resumed_sent_back_and_what_it_made_is_freed(
    trial: Callable[..., Trial], data: volume.Visit
) -> None:
    made = trial("commanded", steps=STEPS, seed=317)
    made.spec["pretrain"]["config"]["checkpoints"]["checkpoint_interval"] = 50
    made.spec["pretrain"]["checkpoints"] = {"keepLast": 20}
    made.apply()
    made.until("a checkpoint", lambda: checkpoint(made) >= 50, 240)

    said = trainingrun("suspend", made.name, "--yes")
    assert "pretrain" in said and "trainingrun resume commanded" in said
    made.until_phase("Suspended", 120)
    made.until("its pods are gone", lambda: not made.pods("pretrain"), 60)
    saved = data.sh(f"ls {made.stage('pretrain')['folder']}/checkpoints | grep ^step- | sort | tail -1").strip()
    assert int(saved.removeprefix("step-")) > 50, "it saves before it stands still"
    assert "Suspended" in trainingrun("status", made.name)
    assert "pretrain" in trainingrun("resume", made.name, "--yes")
    made.until_trains("pretrain", 2, 180)

    said = trainingrun("restart-from", made.name, "50", "--yes")
    assert "step" in said
    made.until_trains("pretrain", 3, 180)
    assert "step 300/300" not in trainingrun("logs", made.name, "pretrain", "--rank", "0")
    made.until_stage("pretrain", "Succeeded", 300)
    assert "complete" in failure("restart-from", made.name, "50", "--yes")
    assert "complete" in failure("retry", made.name, "pretrain", "--yes")
    assert has_each_step_once(made, data)

    folder = made.stage("pretrain")["folder"]
    assert folder in listed()
    made.delete()
    freed = json.loads(trainingrun("gc", CLAIM, "--older-than", "0", "--yes", "-o", "json"))
    assert folder in freed["removed"]
    assert folder not in listed()


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
