"""Something dies on the real cluster, and the run ends in the state in which it would have ended."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from e2e import volume
from e2e.installation import SYSTEM_NAMESPACE, get, kubectl, operator_is_ready, operator_pod, wait_until
from e2e.trial import NAMESPACE, QUICKSTART, Trial

Make = Callable[..., Trial]

# The brackets keep the shell from finding its own command line.
KILL_RANKS = 'for p in /proc/[0-9]*; do grep -q "pretrain[.]rank" $p/cmdline && kill -9 ${p#/proc/}; done; true'


def curve(run: Trial, data: volume.Visit) -> list[dict[str, Any]]:
    """The training curve, a line a step."""
    folder = run.stage("pretrain")["folder"]
    return [json.loads(line) for line in data.sh(f"cat {folder}/metrics.jsonl").splitlines()]


def has_each_step_once(run: Trial, data: volume.Visit) -> bool:
    """Whether the curve goes on where it stopped, with no step twice and none left out."""
    total = run.spec["pretrain"]["config"]["tokens"]["train_steps"]
    return [line["step"] for line in curve(run, data)] == list(range(1, total + 1))


def test_a_gang_that_loses_a_rank_and_then_a_pod_has_each_step_once(trial: Make, data: volume.Visit) -> None:
    run = trial("hit", steps=300, seed=201).apply()
    run.until("a checkpoint is there", lambda: (run.stage("pretrain").get("progress") or {}).get("checkpoint"), 180)
    worker = next(pod for pod in run.pods("pretrain") if "worker" in pod["metadata"]["name"])
    uids = {pod["metadata"]["uid"] for pod in run.pods("pretrain")}
    kill = "kill -9 $(pidof -s python3 python) || kill -9 1"
    kubectl("exec", "-n", NAMESPACE, worker["metadata"]["name"], "--", "sh", "-c", kill)
    run.until_attempt("pretrain", 2, 90)
    run.until("new pods", lambda: uids.isdisjoint(pod["metadata"]["uid"] for pod in run.pods("pretrain")), 90)
    run.until_trains("pretrain", 2, 180)

    kubectl("delete", "pod", "-n", NAMESPACE, run.pods("pretrain")[0]["metadata"]["name"], "--wait=false")
    run.until_attempt("pretrain", 3, 120)
    stage = run.stage("pretrain")
    assert (stage.get("preemptions"), stage.get("restarts")) == (1, 1)
    # The operator may not have heard what a deleted pod said last, but what it saved lies there before the next begins.
    (first,) = [one for one in run.status()["attempts"] if (one["stage"], one["number"]) == ("pretrain", 1)]
    saved = data.sh(f"ls {stage['folder']}/checkpoints | grep ^step- | sort | tail -1").strip()
    assert int(saved.removeprefix("step-")) > first["step"], "a deleted pod saves first"
    run.until_stage("pretrain", "Succeeded", 300)
    assert has_each_step_once(run, data)
    first, second = [one for one in run.status()["attempts"] if one["stage"] == "pretrain"][:2]
    assert first["cause"] not in ("Completed", second["cause"])
    assert first["message"] and second["message"]


@pytest.mark.long
def test_a_killed_rank_of_sft_starts_anew_from_its_newest_checkpoint(trial: Make, data: volume.Visit) -> None:
    run = trial("sft-killed", steps=60, seed=204)
    variant = yaml.safe_load(QUICKSTART.read_text())["spec"]["variants"][0]
    variant["stages"][0]["sft"]["recovery"] = {"backoff": "1s"}
    variant["stages"][0]["sft"]["config"] |= {"max_steps": 40, "save_steps": 10}
    run.spec["variants"] = [variant]
    run.apply()
    stage = "sft-translate"
    run.until("SFT has saved", lambda: (run.stage(stage).get("progress") or {}).get("checkpoint"), 300)
    (victim,) = run.pods(stage)  # on CPU Axolotl trains in one process
    kubectl(
        "exec", "-n", NAMESPACE, victim["metadata"]["name"], "--", "sh", "-c", KILL_RANKS.replace("pretrain", "sft")
    )
    run.until_attempt(stage, 2, 90)
    run.until_stage(stage, "Succeeded", 240)
    first, second = [one for one in run.status()["attempts"] if one["stage"] == stage]
    assert first["cause"] != "Completed" and run.stage(stage)["restarts"] == 1
    assert second["fromStep"] >= 10
    assert data.sh(f"ls {run.stage(stage)['folder']}/model/config.json")


def kill_the_operator() -> None:
    """Delete its pod without grace, and wait until another is at work."""
    old = operator_pod()["metadata"]
    kubectl("delete", "pod", "-n", SYSTEM_NAMESPACE, old["name"], "--grace-period=0", "--force")
    wait_until("another operator is ready", lambda: operator_is_ready(instead_of=old["uid"]), 90)


def test_an_operator_killed_in_every_stage_ends_the_run_as_if_nothing_had_been(trial: Make, data: volume.Visit) -> None:
    run = trial("orphaned", steps=120, seed=204).apply()
    for stage in ("tokenize", "pretrain", "convert", "evaluate", "release"):
        run.until_attempt(stage, 1, 180)
        kill_the_operator()
    run.until_phase("Succeeded", 240)
    assert {stage["attempt"] for stage in run.status()["stages"] if stage["kind"] in ("tokenize", "pretrain")} == {1}
    assert has_each_step_once(run, data)


def test_deleting_a_run_takes_its_objects_and_leaves_its_files(trial: Make, data: volume.Visit) -> None:
    run = trial("deleted", steps=240, seed=205).apply()
    run.until_step(1, 180)
    folder = run.stage("pretrain")["folder"]
    run.delete()
    for kind in ("jobs", "pytorchjobs", "configmaps"):
        command = (kind, "-n", NAMESPACE, "-l", "trainingrun.dev/run=deleted")
        wait_until(f"no {kind}", lambda command=command: not get(*command)["items"], 60)
    assert data.sh(f"ls {folder}").strip()
