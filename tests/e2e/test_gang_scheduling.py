"""Gangs that have no room: what they hold meanwhile, and that they get through, with a gang scheduler and without."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from e2e.installation import cluster, get, kubectl
from e2e.room import GPU, SIMULATED, TOLERATION, free_millicores, gpus, real_node, taken_gpus, with_a_node
from e2e.trial import NAMESPACE, Trial
from families import model

pytestmark = pytest.mark.long
Make = Callable[..., Trial]
# What the report's batch script exports and hands to torchrun, for eight nodes of eight GPUs and 32 CPUs a node.
OF_THE_REPORTS_SCRIPT = {
    "NCCL_IB_DISABLE": "0",
    "NCCL_SOCKET_IFNAME": "ib0,eno,eth",
    "HF_HUB_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "WANDB_MODE": "disabled",
    "OMP_NUM_THREADS": "4",
    "PET_NNODES": "8",
    "PET_NPROC_PER_NODE": "8",
}
PATIENCE = 20.0  # seconds in which a gang that could have a part of what it needs would have taken it


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """The name of a scheduler that gives a gang all it needs or nothing."""
    cluster("gang-scheduling", "on")
    yield "scheduler-plugins-scheduler"
    cluster("gang-scheduling", "off")


@pytest.fixture(scope="module")
def eight_nodes() -> Iterator[None]:
    """Eight simulated nodes of eight GPUs."""
    cluster("simulate", "8")
    yield
    cluster("simulate", "0")


def wide(run: Trial, room: int) -> Trial:
    """Two pods for one node: of two such runs one has room, and then half of the other."""
    pretrain = run.spec["pretrain"]
    pretrain["nodeSelector"] = {"kubernetes.io/hostname": get("node", real_node())["metadata"]["name"]}
    pretrain["resources"]["requests"]["cpu"] = f"{int(room * 0.28)}m"
    return run


def on_64_gpus(run: Trial) -> Trial:
    """Eight pods of eight GPUs each, for simulated nodes."""
    pretrain = run.spec["pretrain"]
    pretrain |= {"nodes": 8, "gpusPerNode": 8, "nodeSelector": {SIMULATED: "true"}, "tolerations": [TOLERATION]}
    pretrain["config"]["parallelism"]["dp"] = 64
    return run


def of_the_report(run: Trial) -> Trial:
    """The report's own pretraining, as examples/zagreus renders it, over a little text; for simulated nodes."""
    report = model(kubectl, "zagreus-ita")["spec"]
    run.spec["pretrain"] = report["pretrain"] | {"nodeSelector": {SIMULATED: "true"}, "tolerations": [TOLERATION]}
    run.spec["evaluate"] = report["evaluate"]
    return run


def environments(run: Trial) -> list[dict[str, str]]:
    """What the containers of a gang's pods are given."""
    containers = [one for pod in run.pods("pretrain") for one in pod["spec"]["containers"]]
    return [{one["name"]: one.get("value", "") for one in container["env"]} for container in containers]


def held(run: Trial) -> list[dict[str, Any]]:
    return with_a_node(run.pods("pretrain"))


def never_holds(run: Trial, seconds: float) -> None:
    """Look again and again whether a pod of the gang has a node."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert not held(run), f"{run.name} holds a part of what it needs"
        time.sleep(0.5)


def seconds_between_nodes(run: Trial) -> float:
    """From the first pod of the gang that got a node to the last."""
    conditions = [one for pod in run.pods("pretrain") for one in pod["status"]["conditions"]]
    times = [one["lastTransitionTime"] for one in conditions if one["type"] == "PodScheduled"]
    first, *_, last = sorted(datetime.fromisoformat(one) for one in times)
    return (last - first).total_seconds()


def ended_attempts(run: Trial) -> list[dict[str, Any]]:
    """What the status says of the gang's attempts that have ended, the first one first."""
    attempts = run.status().get("attempts", [])
    return [one for one in attempts if one["stage"] == "pretrain" and one.get("cause")]


def gives_everything_back(run: Trial, words: str) -> None:
    """Wait until the operator has ended the gang's attempt for want of room, in the scheduler's words."""
    run.until("the first attempt has ended", lambda: ended_attempts(run), 120)
    attempt = ended_attempts(run)[0]
    assert attempt["cause"] == "Unschedulable"
    assert words in attempt["message"]
    assert run.stage("pretrain").get("restarts", 0) == 0
    run.until("its pods are gone", lambda: not held(run), 60)


def test_half_a_gang_gives_back_what_it_holds_and_gets_through_later(trial: Make) -> None:
    room = free_millicores(real_node())
    first = wide(trial("roomy", steps=4998, seed=601), room).apply()
    first.until("both pods have a node", lambda: len(held(first)) == 2, 180)
    second = wide(trial("squeezed", steps=60, seed=602), room)
    second.spec["pretrain"]["recovery"]["schedulingTimeout"] = "20s"
    second.apply()
    second.until("half of it has a node", lambda: len(held(second)) == 1, 120)
    gives_everything_back(second, "Insufficient cpu")
    second.until_attempt("pretrain", 2, 120)
    first.delete()
    second.until_stage("pretrain", "Succeeded", 300)


def test_seven_of_eight_nodes_are_given_back(trial: Make, eight_nodes: None, images: dict[str, str]) -> None:
    run = on_64_gpus(trial("sixty-four", seed=603))
    run.spec["pretrain"]["recovery"]["schedulingTimeout"] = "20s"
    with taken_gpus(NAMESPACE, 8, images["pretrain"]):
        run.apply()
        run.until("it holds 56 GPUs", lambda: gpus(run.pods("pretrain")) == 56, 180)
        gives_everything_back(run, f"Insufficient {GPU}")
    run.until("it holds 64 GPUs", lambda: gpus(run.pods("pretrain")) == 64, 180)


def test_with_a_gang_scheduler_one_gang_runs_and_the_other_holds_nothing(trial: Make, scheduler: str) -> None:
    room = free_millicores(real_node())
    runs = [wide(trial(name, steps=300, seed=seed), room) for name, seed in (("this", 604), ("that", 605))]
    for run in runs:
        run.spec["scheduling"] = {"schedulerName": scheduler}
        run.apply()
    runs[0].until("one of the two has its nodes", lambda: any(len(held(run)) == 2 for run in runs), 180)
    winner, other = sorted(runs, key=lambda run: -len(held(run)))
    other.until("it says why it waits", lambda: other.stage("pretrain").get("reason") == "Unschedulable", 60)
    while held(winner):
        assert not (held(other) and held(winner)), "half a gang has a node"
        time.sleep(0.5)
    other.until("both pods have a node", lambda: len(held(other)) == 2, 120)
    assert seconds_between_nodes(other) <= 2.0
    for run in runs:
        run.until_stage("pretrain", "Succeeded", 300)


def test_with_a_gang_scheduler_seven_of_eight_nodes_stay_free(
    trial: Make, eight_nodes: None, scheduler: str, images: dict[str, str]
) -> None:
    run = on_64_gpus(trial("gang-of-eight", seed=606))
    run.spec["scheduling"] = {"schedulerName": scheduler}
    with taken_gpus(NAMESPACE, 8, images["pretrain"]):
        run.apply()
        run.until("its pods are there", lambda: len(run.pods("pretrain")) == 8, 180)
        never_holds(run, PATIENCE)
        run.until("it says why it waits", lambda: GPU in run.stage("pretrain").get("message", ""), 60)
    run.until("it holds 64 GPUs", lambda: gpus(run.pods("pretrain")) == 64, 120)
    assert seconds_between_nodes(run) <= 2.0


def test_the_reports_pretraining_is_one_gang_with_the_environment_of_its_scripts(
    trial: Make, eight_nodes: None, scheduler: str, images: dict[str, str]
) -> None:
    run = of_the_report(trial("the-reports", seed=609))
    run.spec["scheduling"] = {"schedulerName": scheduler}
    with taken_gpus(NAMESPACE, 8, images["pretrain"]):
        run.apply()
        run.until("its pods are there", lambda: len(run.pods("pretrain")) == 8, 180)
        never_holds(run, PATIENCE)
    run.until("it holds 64 GPUs", lambda: gpus(run.pods("pretrain")) == 64, 120)
    assert len({pod["spec"]["nodeName"] for pod in run.pods("pretrain")}) == 8
    assert seconds_between_nodes(run) <= 2.0
    found = environments(run)
    for one in found:
        assert one.items() >= OF_THE_REPORTS_SCRIPT.items()
    assert sorted(int(one["RANK"]) for one in found) == list(range(8))
    assert len({(one["MASTER_ADDR"], one["MASTER_PORT"]) for one in found}) == 1


def test_beside_a_gang_scheduler_a_run_keeps_the_clusters_own_by_its_name(trial: Make, scheduler: str) -> None:
    follows, keeps = trial("follows", seed=607), trial("keeps", seed=608)
    keeps.spec["scheduling"] = {"schedulerName": "default-scheduler"}
    for run, name in ((follows, scheduler), (keeps, "default-scheduler")):
        run.apply()
        run.until("its pods are there", lambda run=run: len(run.pods("pretrain")) == 2, 180)
        assert {pod["spec"]["schedulerName"] for pod in run.pods("pretrain")} == {name}
    for run in (follows, keeps):
        run.until_stage("pretrain", "Succeeded", 300)
