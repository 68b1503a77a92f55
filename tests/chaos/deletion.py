"""What becomes of a run's objects, files and claim when the run, or the operator, is taken away."""

import time
from typing import Final

from chaos.records import FREE, Record, given
from chaos.world import EVERY, NAMESPACE, PATIENCE, Training, World
from e2e.installation import RELEASE, SYSTEM_NAMESPACE, get, kubectl, operator_is_ready, operator_pod, run, wait_until

OPERATOR: Final = f"deployment/{RELEASE}"


def run_deleted(world: World) -> Record:
    """The run is deleted while it trains: its pods and objects go, its files stay."""
    with world.training("deleted", 60 * EVERY) as training:
        training.apply().trains(EVERY + 5)
        folder = training.stage("pretrain")["folder"]
        figures = _delete(training)
        kept = world.visit.sh(f"ls {folder}/checkpoints").split()
        return Record("run deleted", bool(kept), figures, "" if kept else "Its checkpoints are gone.")


def run_deleted_without_operator(world: World) -> Record:
    """The same while the operator is away: nothing waits for it."""
    with world.training("alone", 60 * EVERY) as training:
        training.apply().trains(5)
        kubectl("scale", "-n", SYSTEM_NAMESPACE, OPERATOR, "--replicas=0")
        try:
            wait_until("the operator is gone", lambda: not operator_pod(), 60)
            figures = _delete(training)
        finally:
            kubectl("scale", "-n", SYSTEM_NAMESPACE, OPERATOR, "--replicas=1")
            wait_until("the operator is back", operator_is_ready, 90)
        return Record("operator away", True, figures)


def _delete(training: Training) -> dict[str, float]:
    watch, selector = training.world.watch, ("-n", NAMESPACE, "-l", f"trainingrun.dev/run={training.name}")
    at = time.time()
    kubectl("delete", "trainingrun", training.name, "-n", NAMESPACE, "--timeout=60s")
    returned = time.time() - at
    watch.wait("its pods are gone", lambda: all(pod.free_at for pod in watch.pods(training.name)), 120)
    figures = {FREE: max(pod.free_at or 0.0 for pod in watch.pods(training.name)) - at, "kubectl returned": returned}
    for kind in ("jobs", "pytorchjobs", "configmaps"):
        wait_until(f"no {kind}", lambda kind=kind: not get(kind, *selector)["items"], 60)
    return figures


def claim_of_a_deleted_run(world: World, policy: str) -> Record:
    """A claim that the run made stays with it gone, or goes where the spec says so."""
    storage = {"claimName": None, "claim": {"size": "1Gi"}, "deletionPolicy": policy}
    with world.training("claim", EVERY, **storage) as training:
        training.spec["storage"].pop("claimName")
        training.apply()
        claim = ("pvc", "-n", NAMESPACE, training.name, "--ignore-not-found", "-o", "name")
        training.until("its claim is there", lambda: kubectl("get", *claim), 60)
        at = time.time()
        training.delete()
        if policy == "Delete":
            wait_until("its claim is gone", lambda: not kubectl("get", *claim), 90)
            return Record("claim deleted", True, {"claim gone": time.time() - at})
        time.sleep(10)
        kept = bool(kubectl("get", *claim))
        kubectl("delete", "pvc", "-n", NAMESPACE, training.name, "--ignore-not-found", "--wait=false")
        return Record("claim retained", kept)


def uninstalled(world: World) -> Record:
    """`helm uninstall` under a gang that trains: it trains on, and a new installation goes on with the run."""
    with world.training("homeless", 16 * EVERY) as training:
        gang = training.apply().trains(10)
        run(["helm", "uninstall", RELEASE, "--namespace", SYSTEM_NAMESPACE, "--wait", "--timeout", "120s"])
        there = get("trainingrun", training.name, "-n", NAMESPACE)["status"]["phase"] == "Running"
        there = there and not any(pod.free_at for pod in gang)
        at = time.time()
        world.install()
        figures = {"installed again": time.time() - at}
        whole = training.ends_whole(PATIENCE)
        same = training.stage("pretrain")["attempt"] == 1
        return given(Record("uninstalled", there and same, figures), whole)
