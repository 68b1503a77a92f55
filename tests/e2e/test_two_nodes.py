"""A gang spans two real nodes, and one of them dies."""

from collections.abc import Callable, Iterator

import pytest

from e2e.installation import cluster, get, images, kubectl, wait_until
from e2e.trial import Trial

Make = Callable[..., Trial]


@pytest.fixture(scope="module")
def second_node() -> Iterator[str]:
    """A second node for these tests; skips on a cluster that is the user's own."""
    cluster("up", "--nodes", "2")
    cluster("sync-images", images()["pretrain"])
    yield "node-2"
    cluster("up", "--nodes", "1")


def spread(run: Trial) -> Trial:
    """Each pod of the gang on a node of its own, by the processor time it asks for."""
    run.spec["pretrain"]["resources"]["requests"]["cpu"] = "1100m"
    return run


def nodes_of(run: Trial) -> set[str]:
    return {pod["spec"].get("nodeName", "") for pod in run.pods("pretrain")}


def node_is_ready(name: str) -> bool:
    conditions = get("node", name)["status"]["conditions"]
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def test_a_gang_trains_over_two_nodes_survives_the_loss_of_one_and_ends(trial: Make, second_node: str) -> None:
    run = spread(trial("spanning", steps=300, seed=301))
    run.spec["pretrain"]["recovery"]["backoff"] = "15s"  # time to ask for less, before a gang that fits nowhere is made
    run.apply()
    run.until_step(20, 240)
    assert nodes_of(run) == {"node-1", second_node}
    cluster("kill-node", second_node)
    run.until("the attempt has ended", lambda: run.stage("pretrain").get("restarts", 0) >= 1, 180)
    causes = [one.get("cause") for one in run.status()["attempts"] if one["stage"] == "pretrain"]
    assert causes[0] in ("NodeLost", "Retry", "Crashed"), causes
    run.patch({"pretrain": {"resources": {"requests": {"cpu": "200m"}}}})
    run.until_stage("pretrain", "Succeeded", 300)
    assert nodes_of(run) == {"node-1"}
    cluster("restore-node", second_node)
    wait_until("the node is back", lambda: node_is_ready(second_node), 90)
    kubectl("get", "nodes")
