"""What two runs share and what only a deleted one had, on a real claim: listed, and removed while the other goes on."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from e2e import volume
from e2e.installation import environment, get
from e2e.trial import CLAIM, NAMESPACE, REPOSITORY, Trial

TOGETHER = os.pathsep.join(str(REPOSITORY / part) for part in ("operator", "workers"))
STEPS = 600  # so that it still trains when the other is gone


def artifacts(*options: str) -> dict[str, Any]:
    """What `trainingrun artifacts` says of the claim, as JSON."""
    command = [sys.executable, "-m", "trainingrun.cli", "artifacts", CLAIM, "-n", NAMESPACE, "-o", "json", *options]
    done = subprocess.run(
        command, env=environment() | {"PYTHONPATH": TOGETHER}, capture_output=True, text=True, timeout=900, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def used_by(report: dict[str, Any]) -> dict[str, list[str]]:
    return {one["path"]: one["usedBy"] for one in report["artifacts"]}


def tokens_of(run: Trial, data: volume.Visit) -> str:
    """The only source's token folder, as the marker of the stage's own folder has it."""
    (source,) = json.loads(data.sh(f"cat {run.stage('tokenize')['folder']}/COMPLETE.json"))["sources"]
    return str(source["folder"])


def test_what_only_a_deleted_run_had_is_removed_and_what_another_shares_with_it_stays(
    trial: Callable[..., Trial], data: volume.Visit
) -> None:
    gone = trial("shares-and-goes", seed=701).apply()
    gone.until_stage("pretrain", "Succeeded", 420)
    stays = trial("shares-and-stays", seed=702, steps=STEPS).apply()
    stays.until_step(2, 300)
    lost, kept = gone.stage("pretrain")["folder"], stays.stage("pretrain")["folder"]
    tokens = tokens_of(stays, data)
    assert lost != kept and tokens == tokens_of(gone, data)

    users = used_by(artifacts())
    assert users[tokens] == sorted([gone.name, stays.name])
    assert (users[lost], users[kept]) == ([gone.name], [stays.name])

    gone.delete()
    planned = artifacts("--remove-unused", "--older-than", "0")
    assert lost in planned["removable"]
    assert not {tokens, kept} & set(planned["removable"])
    assert data.sh(f"ls {lost}")  # nothing goes without --yes

    report = artifacts("--remove-unused", "--older-than", "0", "--yes")
    assert lost in report["removed"] and report["restored"] == []
    left = data.sh("ls -d artifacts/*/*; ls -A").split()
    assert lost not in left and {tokens, kept} <= set(left)
    assert ".removed" not in left

    before = stays.stage("pretrain")["progress"]["step"]
    stays.until_step(min(before + 5, STEPS), 120)
    assert stays.stage("pretrain")["attempt"] == 1
    pods = get("pods", "-n", NAMESPACE, "-l", "app.kubernetes.io/name=trainingrun-artifacts")["items"]
    assert all("deletionTimestamp" in one["metadata"] for one in pods)
