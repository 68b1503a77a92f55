"""Faults of what lies below a run: a node's power, the volume's room, the operator. Each yields one record."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chaos.faults import NODE_LOST, lose_the_node, node_is_ready
from chaos.records import Record, given
from chaos.recovery import follow
from chaos.world import EVERY, NAMESPACE, PATIENCE, Training, World
from e2e import volume
from e2e.installation import (
    CACHE,
    SYSTEM_NAMESPACE,
    apply,
    cluster,
    kubectl,
    operator_is_ready,
    operator_pod,
    wait_until,
)


def node_lost(world: World) -> Record:
    """The second node's power is cut under half a gang; times are from the cluster's noticing it on."""
    cluster("up", "--nodes", "2")
    cluster("sync-images", world.images["pretrain"])
    try:
        with world.training("node", 12 * EVERY) as training:
            requests = training.spec["pretrain"]["resources"]["requests"]
            requests["cpu"] = "1100m"  # each pod on a node of its own
            gang = training.apply().trains(EVERY + 5)
            training.patch({"pretrain": {"resources": {"requests": {**requests, "cpu": "50m"}}}})
            victim = next(pod for pod in gang if pod.node != "node-1")
            at = lose_the_node(victim.node)
            return given(follow(training, gang, at, NODE_LOST), training.ends_whole(PATIENCE))
    finally:
        cluster("restore-node", "node-2")
        wait_until("the node is back", lambda: node_is_ready("node-2"), 90)
        cluster("up", "--nodes", "1")


def disk_full(world: World) -> Record:
    """The claim fills up while training saves; once a condition tells of it, it is given room."""
    with _file_system(CACHE / "cluster" / "chaos-volume") as folder:
        return _on_small_claim(world, folder)


@contextmanager
def _file_system(folder: Path) -> Iterator[Path]:
    """One of 300 MB, in memory, where the local cluster's volumes lie; it goes with the cluster too."""
    assert folder.parent.is_dir(), "The cluster's nodes are not on this machine."
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300m,mode=0777", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


def _on_small_claim(world: World, folder: Path) -> Record:
    apply(*_small_claim(folder, world.agent.node))
    try:
        volume.fill(NAMESPACE, "small", world.image, "fill-small")
        visit = volume.Visit(NAMESPACE, "small", world.image, "visitor-small")
        with world.training("full", 12 * EVERY, claimName="small") as training:
            return _fill_up(training, visit)
    finally:
        kubectl("delete", "pod", "-n", NAMESPACE, "visitor-small", "fill-small", "--ignore-not-found")
        kubectl("delete", "pvc", "-n", NAMESPACE, "small", "--ignore-not-found")
        kubectl("delete", "pv", "chaos-small", "--ignore-not-found")


def _small_claim(folder: Path, node: str) -> tuple[dict[str, Any], dict[str, Any]]:
    claim = volume.claim("small", NAMESPACE, "250Mi")
    claim["spec"] |= {"storageClassName": "", "volumeName": "chaos-small"}
    spec = {
        "accessModes": ["ReadWriteMany"],
        "capacity": {"storage": "300Mi"},
        "persistentVolumeReclaimPolicy": "Retain",
        "claimRef": {"name": "small", "namespace": NAMESPACE},
        "hostPath": {"path": str(folder)},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [_on(node)]}]}},
    }
    kind = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "chaos-small"}, "spec": spec}
    return kind, claim


def _on(node: str) -> dict[str, Any]:
    return {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}


def _fill_up(training: Training, visit: volume.Visit) -> Record:
    training.apply().trains(EVERY + 5)
    at = time.time()
    visit.sh("head -c 400M /dev/zero > ballast || true")
    said = training.until_stalled("VolumeFull", PATIENCE)
    told = time.time() - at
    kept = training.checkpoints(visit)
    at = time.time()
    visit.sh("rm ballast")
    number = max(pod.attempt for pod in training.world.watch.pods(training.name, "pretrain"))
    following = training.gang(number, PATIENCE)
    first = training.first_step(following)
    running = max(pod.running_at or 0.0 for pod in following)
    figures = {"condition after": told, "room to gang running": running - at, "room to first step": first.at - at}
    whole = training.ends_whole(PATIENCE, visit)
    goes_on = first.number - 1 == max(kept)
    note = "" if goes_on else f"It went on at {first.number} and had {kept}: {said}"
    return given(Record("disk full", goes_on, figures, note), whole)


def operator_killed(world: World) -> Record:
    """The operator's pod is killed with no grace while a gang trains, which does not notice."""
    with world.training("orphan", 8 * EVERY) as training:
        training.apply().trains(10)
        old = operator_pod()["metadata"]
        at = time.time()
        kubectl("delete", "pod", "-n", SYSTEM_NAMESPACE, old["name"], "--grace-period=0", "--force")
        wait_until("another operator is ready", lambda: operator_is_ready(instead_of=old["uid"]), 90, every=0.2)
        figures = {"operator ready": time.time() - at}
        whole = training.ends_whole(PATIENCE)
        attempts = training.stage("pretrain")["attempt"]
        return given(Record("operator killed", attempts == 1, figures, f"{attempts} attempts"), whole)
