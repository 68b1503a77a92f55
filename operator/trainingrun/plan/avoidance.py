"""Nodes that a run avoids, until there is no other: those by whose own fault its gangs failed twice, or that a
pre-flight found bad.
"""

from typing import Final

from trainingrun.api.status import MAX_AVOIDED
from trainingrun.plan.causes import BLAMED
from trainingrun.plan.draft import Draft, epoch

MAX_REASON: Final = 384  # characters

# What the scheduler's NodeAffinity plugin says of each node that it leaves out, in every Kubernetes since 1.10.
LEFT_OUT: Final = "node affinity"

SAME_FAULT: Final = 300.0  # seconds in which several stages may tell of one failure of their node


def blame(draft: Draft, stage: str, node: str, why: str, at_once: bool = False) -> None:
    """Remember that a failure was a node's fault; the second one, or one `at_once`, puts it among the avoided.

    Of each list the oldest are forgotten where there are too many.
    """
    if node in draft.avoided_nodes or _is_told(draft, stage, node):
        return
    if at_once or node in draft.suspected_nodes:
        draft.suspected_nodes = [one for one in draft.suspected_nodes if one != node]
        draft.avoided_nodes = [*draft.avoided_nodes, node][-MAX_AVOIDED:]
        reason = why if at_once else f"It has failed twice, the second time so: {why}"
        known = draft.avoided_because | {node: reason[:MAX_REASON]}
        draft.avoided_because = {name: known[name] for name in draft.avoided_nodes if name in known}
    else:
        draft.suspected_nodes = [*draft.suspected_nodes, node][-MAX_AVOIDED:]


def _is_told(draft: Draft, stage: str, node: str) -> bool:
    """Whether another stage has just ended by the same failure."""
    told = (
        one for one in draft.attempts if node in (one.node, *one.nodes) and one.stage != stage and one.cause in BLAMED
    )
    return any(draft.now - epoch(one.ended_at) < SAME_FAULT for one in told)


def forget_if_in_the_way(draft: Draft, scheduler_message: str) -> bool:
    """Avoid no node any more if that may be why a gang had none; whether it was so.

    The scheduler counts nodes by the first reason that excludes each, for example "0/3 nodes are available: 1 node(s)
    didn't match Pod's node affinity/selector, 2 Insufficient cpu". A node that is avoided and good for nothing else
    either, as one that is NotReady, is counted under another reason. Words about affinity may also be about the run's
    own nodeSelector; forgetting then costs no more than two failures on a bad node.
    """
    if not draft.avoided_nodes or LEFT_OUT not in scheduler_message:
        return False
    draft.avoided_nodes, draft.avoided_because = [], {}
    return True
