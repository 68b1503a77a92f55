"""A node that was at fault twice is avoided, until there is no other."""

from typing import Any

from builders import World, a_manifest
from trainingrun.plan.observed import PodView
from trainingrun_workers.contract import Result

AVOIDED = "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 Insufficient memory."


def pretraining() -> World:
    pretrain = a_manifest()["spec"]["pretrain"] | {"recovery": {"schedulingTimeout": "2m"}}
    return World(a_manifest(pretrain=pretrain)).settle().completes("tokenize").settle()


def loses(world: World, node: str, stage: str = "pretrain") -> World:
    """The node of the stage's first pod is lost, and all is well again some minutes later."""
    world.change_pod(stage, 0, node=node, node_ready=False, phase="Running").settle()
    return world.wait(400)


def template(world: World, stage: str = "pretrain") -> dict[str, Any]:
    work = world.objects[f"PyTorchJob/{world.attempt(stage)}"]
    pod: dict[str, Any] = work["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]
    return pod


def names_kept_away_from(world: World) -> list[str]:
    required = template(world)["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    (term,) = required["nodeSelectorTerms"]
    assert all((one["key"], one["operator"]) == ("metadata.name", "NotIn") for one in term["matchFields"])
    return [name for one in term["matchFields"] for name in one["values"]]


def test_one_failure_of_a_node_says_little() -> None:
    world = loses(pretraining(), "node-2")
    assert next(one for one in world.run.status.attempts if one.stage == "pretrain").node == "node-2"
    assert (world.run.status.suspected_nodes, world.run.status.avoided_nodes) == (["node-2"], [])
    assert "affinity" not in template(world)


def test_the_second_failure_keeps_the_gang_away_from_the_node_and_says_so() -> None:
    world = loses(loses(pretraining(), "node-2"), "node-2")
    assert (world.run.status.suspected_nodes, world.run.status.avoided_nodes) == ([], ["node-2"])
    assert names_kept_away_from(world) == ["node-2"]
    assert [one.message for one in world.events if one.reason == "NodeAvoided"] == [
        "Gangs of this run are kept away from node node-2 from now on. It has failed twice, the second time so: Node "
        "node-2 of pod tiny-pretrain-a2-0 is not ready."
    ]


def test_failures_of_two_nodes_are_not_those_of_one() -> None:
    world = loses(loses(pretraining(), "node-1"), "node-2")
    assert (world.run.status.suspected_nodes, world.run.status.avoided_nodes) == (["node-1", "node-2"], [])


def test_what_a_process_does_is_not_its_nodes_fault() -> None:
    world = pretraining()
    for fields in ({"exit_code": 137}, {"exit_code": 1}, {"exit_code": 137, "ended_reason": "OOMKilled"}):
        world.fails("pretrain", **fields).wait(6).wait(400)
    world.fails("pretrain", 143).settle()
    assert (world.run.status.suspected_nodes, world.run.status.avoided_nodes) == ([], [])


def test_a_container_that_the_node_can_not_start_is_its_nodes_fault() -> None:
    world = pretraining()
    for _ in range(2):
        world.fails("pretrain", 128, ended_reason="StartError", index=1).settle().wait(400)
    assert world.run.status.avoided_nodes == ["node-1"]


def test_one_outage_that_two_stages_suffer_from_is_one_failure() -> None:
    world = pretraining().reports("pretrain", step=310, total=900, checkpoint=300, checkpoints=(300,)).settle()
    assert world.stage("convert").phase == "Running"
    for stage in ("pretrain", "convert"):
        world.change_pod(stage, 0, node_ready=False)
    world.settle()
    assert {one.cause for one in world.run.status.attempts[-2:]} == {"NodeLost"}
    assert (world.run.status.suspected_nodes, world.run.status.avoided_nodes) == (["node-1"], [])


def test_only_gangs_are_kept_away() -> None:
    world = loses(loses(pretraining(), "node-2"), "node-2")
    world.reports("pretrain", step=310, total=900, checkpoint=300, checkpoints=(300,)).settle()
    assert "affinity" not in world.objects[f"Job/{world.attempt('convert')}"]["spec"]["template"]["spec"]


def test_the_list_of_avoided_nodes_is_bounded() -> None:
    pretrain = a_manifest()["spec"]["pretrain"] | {"recovery": {"maxRestarts": 1000}}
    world = World(a_manifest(pretrain=pretrain)).settle().completes("tokenize").settle()
    for number in range(20):
        for again in (1, 2):
            world.reports("pretrain", step=(step := number * 10 + again), total=900, checkpoint=step).settle()
            loses(world, f"node-{number}")
    assert world.run.status.avoided_nodes == [f"node-{number}" for number in range(4, 20)]
    assert names_kept_away_from(world) == world.run.status.avoided_nodes
    assert [*world.run.status.avoided_because] == world.run.status.avoided_nodes


def test_the_only_node_is_used_again_when_there_is_no_other() -> None:
    world = loses(loses(pretraining(), "node-1"), "node-1")
    assert names_kept_away_from(world) == ["node-1"]
    for index in (0, 1):
        world.change_pod("pretrain", index, phase="Pending", node="", started=False, unschedulable=AVOIDED)
    attempt = world.settle().stage("pretrain").attempt
    world.wait(120)
    assert (world.stage("pretrain").phase, world.stage("pretrain").attempt) == ("Running", attempt + 1)
    assert (world.run.status.avoided_nodes, world.run.status.avoided_because) == ([], {})
    assert "affinity" not in template(world)
    assert [one.message for one in world.events if one.reason == "NodeUsedAgain"] == [
        "Gangs of this run may use node node-1 again."
    ]


def test_a_node_stays_avoided_where_others_are_only_full() -> None:
    world = loses(loses(pretraining(), "node-2"), "node-2")
    message = "0/2 nodes are available: 1 Insufficient memory, 1 node(s) had untolerated taint {x: }."
    world.change_pod("pretrain", 0, phase="Pending", node="", started=False, unschedulable=message).wait(120)
    assert world.stage("pretrain").phase == "Waiting"
    assert world.run.status.avoided_nodes == ["node-2"]


def test_an_attempt_that_runs_is_left_alone_when_the_avoided_nodes_change() -> None:
    world = pretraining()
    world.manifest["status"]["avoidedNodes"] = ["node-9"]
    assert not world.step()


def test_an_attempt_that_nothing_runs_of_is_made_anew_once_when_the_avoided_nodes_change() -> None:
    world = loses(loses(pretraining(), "node-2"), "node-2")
    for index in (0, 1):
        world.change_pod("pretrain", index, phase="Pending", node="", started=False, unschedulable=AVOIDED)
    attempt = world.settle().stage("pretrain").attempt
    world.manifest["status"]["avoidedNodes"] = []
    world.settle()
    for index in (0, 1):
        world.change_pod("pretrain", index, phase="Pending", node="", started=False, unschedulable=AVOIDED)
    world.settle()
    stage = world.stage("pretrain")
    assert (stage.attempt, stage.restarts, stage.preemptions, stage.waits) == (attempt + 1, 2, 0, 0)


def test_pods_that_never_ran_there_do_not_blame_a_node_they_were_not_given() -> None:
    world = pretraining()
    name = "tiny-pretrain-a1-1"
    world.pods[name] = PodView(name, "pretrain", 1, 1, "Failed", created_at=world.now)
    world.settle().wait(6)
    assert next(one for one in world.run.status.attempts if one.stage == "pretrain").cause == "PodFailed"
    assert world.run.status.suspected_nodes == []


def test_a_node_that_the_preflight_names_is_avoided_at_once_whichever_pod_says_so() -> None:
    world = pretraining()
    words = Result(75, "BadNode", "Node node-7 lets the gang down.", output={"node": "node-7"})
    world.change_pod("pretrain", 0, node="node-2", phase="Failed", exit_code=75, result=words).settle()
    world.wait(60).settle()
    (ended, _) = [one for one in world.run.status.attempts if one.stage == "pretrain"]
    assert (ended.cause, ended.node, ended.message) == ("BadNode", "node-7", words.message)
    assert (world.run.status.suspected_nodes, world.run.status.avoided_nodes) == ([], ["node-7"])
    assert names_kept_away_from(world) == ["node-7"]
    assert world.run.status.avoided_because == {"node-7": words.message}


def finds(world: World, reason: str, **output: Any) -> World:
    """The first pod of the gang ends with such words."""
    words = Result(75, reason, f"{reason} was found.", output=output)
    world.change_pod("pretrain", 0, node="node-2", phase="Failed", exit_code=75, result=words).settle()
    return world.wait(400).settle()


def test_all_nodes_that_the_preflight_names_are_avoided_at_once_and_told_of_in_one_line() -> None:
    world = finds(pretraining(), "BadNode", node="node-7", nodes=["node-7", "node-5"])
    (ended, _) = [one for one in world.run.status.attempts if one.stage == "pretrain"]
    assert (ended.node, ended.nodes) == ("node-7", ["node-7", "node-5"])
    assert (world.run.status.suspected_nodes, world.run.status.avoided_nodes) == ([], ["node-7", "node-5"])
    assert names_kept_away_from(world) == ["node-7", "node-5"]
    assert [one.message for one in world.events if one.reason == "NodeAvoided"] == [
        "Gangs of this run are kept away from nodes node-7 and node-5 from now on. BadNode was found."
    ]


def test_what_is_no_list_of_nodes_blames_as_an_older_image_does() -> None:
    world = finds(pretraining(), "BadNode", node="node-7", nodes="node-5")
    assert world.run.status.avoided_nodes == ["node-7"]
    world = finds(pretraining(), "BadNode", nodes=[7, "", "x" * 300, "node-5", "node-5"])
    assert world.run.status.avoided_nodes == ["node-5"]
    world = finds(pretraining(), "BadNode")
    assert world.run.status.avoided_nodes == ["node-2"], "that of the pod itself"


def test_a_node_at_which_the_preflight_hangs_is_avoided_the_second_time() -> None:
    world = finds(pretraining(), "PreflightTimeout", node="node-7", nodes=["node-7"])
    assert (world.run.status.suspected_nodes, world.run.status.avoided_nodes) == (["node-7"], [])
    world = finds(world, "PreflightTimeout", node="node-7", nodes=["node-7"])
    assert (world.run.status.suspected_nodes, world.run.status.avoided_nodes) == ([], ["node-7"])


def test_a_preflight_that_hangs_for_no_known_reason_is_no_nodes_fault() -> None:
    world = finds(finds(pretraining(), "PreflightTimeout"), "PreflightTimeout")
    assert (world.run.status.suspected_nodes, world.run.status.avoided_nodes) == ([], [])
    ended = next(one for one in world.run.status.attempts if one.cause == "PreflightTimeout")
    assert ended.node == "node-2", "the pod's, for whoever looks for its log"
