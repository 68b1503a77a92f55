"""Findings about nodes: GPUs, taints, RDMA devices, and whether a run's pods have room on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from trainingrun.api.base import quantity
from trainingrun.commands.doctor.facts import Facts, Object, Unseen
from trainingrun.commands.doctor.findings import Finding, fail, ok, warn
from trainingrun.commands.doctor.needs import Needs, Pods

GPU: Final = "nvidia.com/gpu"
RDMA: Final = ("rdma/", "vpc.amazonaws.com/efa", "nvidia.com/hostdev", "mellanox.com/", "openshift.io/")
REPELLING: Final = ("NoSchedule", "NoExecute")
NOT_NODES: Final = frozenset({"pods", "ephemeral-storage", "storage"})  # resources that are not looked at here


def nodes(facts: Facts, needs: Needs | None) -> Iterator[Finding]:
    """How many GPUs there are, and what keeps pods off them."""
    if isinstance(facts.nodes, Unseen):
        yield warn("nodes", f"Nodes can't be seen: {facts.nodes.why}", "Ask for the right to list nodes.")
        return
    with_gpus = [one for one in facts.nodes if allocatable(one).get(GPU)]
    ready = [one for one in with_gpus if is_ready(one)]
    wanted = needs is None or any(GPU in one.requests for one in needs.pods)
    if not with_gpus and wanted:
        yield fail(
            "nodes", f"None of {len(facts.nodes)} nodes offers {GPU}.",
            "Install NVIDIA's GPU operator, or its device plugin, on nodes with GPUs.",
        )  # fmt: skip
    elif with_gpus:
        total = sum(allocatable(one)[GPU] for one in ready)
        yield ok("nodes", f"{len(ready)} nodes offer {total:,.0f} {GPU}: {_by_size(ready)}.")
    away = [one["metadata"]["name"] for one in with_gpus if not is_ready(one)]
    if away:
        yield warn(
            "nodes", f"Of the nodes with GPUs these are not ready or cordoned: {_some(away)}.",
            "kubectl describe node says why; kubectl uncordon lets pods in again.",
        )  # fmt: skip
    yield from _tainted(ready, needs)


def _by_size(found: Sequence[Object]) -> str:
    sizes = Counter(int(allocatable(one)[GPU]) for one in found)
    return ", ".join(f"{count} × {gpus}" for gpus, count in sorted(sizes.items(), reverse=True)) or "none is ready"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _tainted(found: Sequence[Object], needs: Needs | None) -> Iterator[Finding]:
    """Taints of GPU nodes that the run's own pods with GPUs would have to tolerate; of any where there is no run."""
    tolerations = [one.tolerations for one in needs.pods if GPU in one.requests] if needs is not None else [()]
    against = {
        f"{taint['key']}={taint.get('value', '')}:{taint['effect']}"
        for one in found
        for taint in (one.get("spec") or {}).get("taints") or ()
        if taint.get("effect") in REPELLING and not all(tolerated(taint, given) for given in tolerations)
    }
    if against and needs is None:
        yield warn(
            "nodes", f"Nodes with GPUs have taints: {', '.join(sorted(against))}.",
            "Give runs tolerations for them: pretrain.tolerations, evaluate.tolerations and those of variants' stages.",
        )  # fmt: skip
    elif against:
        yield warn(
            "nodes", f"Some of the run's stages don't tolerate the taints of GPU nodes: {', '.join(sorted(against))}.",
            "Give those stages tolerations, where they are to run there.",
        )  # fmt: skip


def room(facts: Facts, needs: Needs | None) -> Iterator[Finding]:
    """Whether each stage's pods have room on the nodes, whoever else uses them now."""
    if needs is None or isinstance(facts.nodes, Unseen):
        return
    ready = [one for one in facts.nodes if is_ready(one)]
    lacking = [(one, why) for one in needs.pods if (why := _lack(one, ready)) is not None]
    for one, why in lacking:
        yield fail("room", f"Stage {one.stage} wants {_described(one)}, {why}.", _mend(one))
    if not lacking and needs.pods:
        largest = max(needs.pods, key=lambda one: one.count * one.requests.get(GPU, 0.0))
        yield ok(
            "room", f"Every stage has room on the nodes, the largest ({largest.stage}) too: {_described(largest)}."
        )


def _described(one: Pods) -> str:
    asked = [f"{_amount(name, value)} {name}" for name, value in one.requests.items() if name not in NOT_NODES]
    each = f" with {', '.join(asked)}" + (" each" if one.count > 1 else "") if asked else ""
    return f"{one.count} pod{'s' if one.count > 1 else ''}{each}"


def _amount(name: str, value: float) -> str:
    return f"{value / 2**30:.3g}Gi" if name == "memory" else f"{value:g}"


def _lack(one: Pods, ready: Sequence[Object]) -> str | None:
    """Why there is no room, None where there is."""
    allowed = [node for node in ready if _allows(node, one)]
    fitting = [_times(node, one) for node in allowed]
    if sum(fitting) >= (one.count if one.is_gang else 1):
        return None
    if not allowed:
        return "but no ready node has its labels and tolerated taints" if ready else "but no node is ready"
    return f"but there is room for {sum(fitting)} on the {len(allowed)} nodes that it may use"


def _mend(one: Pods) -> str:
    what = "fewer nodes or GPUs" if one.is_gang else "smaller resources"
    return f"Add nodes, or give {one.stage} {what}, another nodeSelector, or tolerations."


def _allows(node: Object, one: Pods) -> bool:
    labels = node["metadata"].get("labels") or {}
    taints = (node.get("spec") or {}).get("taints") or ()
    return all(labels.get(key) == value for key, value in one.node_selector.items()) and all(
        tolerated(taint, one.tolerations) for taint in taints if taint.get("effect") in REPELLING
    )


def _times(node: Object, one: Pods) -> int:
    """How many of the pods an empty node holds."""
    offered = allocatable(node)
    asked = {name: value for name, value in one.requests.items() if value and name not in NOT_NODES}
    return int(min((offered.get(name, 0.0) // value for name, value in asked.items()), default=one.count))


def rdma(facts: Facts, needs: Needs | None) -> Iterator[Finding]:
    """Which RDMA devices nodes offer, and whether the run asks for them by their names."""
    if isinstance(facts.nodes, Unseen):
        return
    offered = sorted({name for one in facts.nodes for name in allocatable(one) if name.startswith(RDMA)})
    wanted = needs.devices if needs is not None else ()
    missing = [name for name in wanted if not any(allocatable(one).get(name) for one in facts.nodes)]
    if missing:
        has = f"they offer {', '.join(offered)}" if offered else "they offer no RDMA device"
        yield fail(
            "rdma", f"The run asks for {', '.join(missing)}, which no node offers: {has}.",
            "Correct network.resources, or install the device plugin, for example by NVIDIA's network operator.",
        )  # fmt: skip
    elif needs is not None and needs.rdma:
        yield warn(
            "rdma", f"An RDMA network, but no device is asked for by {', '.join(needs.rdma)}: "
            f"{'nodes offer ' + ', '.join(offered) if offered else 'no node offers one'}.",
            "Name one in network.resources, for example rdma/hca: 1; or take the profile tcp.",
        )  # fmt: skip
    elif offered:
        yield ok("rdma", f"Nodes offer {', '.join(offered)}.")
    elif needs is None and any(allocatable(one).get(GPU) for one in facts.nodes):
        yield warn(
            "rdma", "Nodes with GPUs offer no RDMA device: gangs of several nodes train over TCP.",
            "Install NVIDIA's network operator where the nodes have InfiniBand or RoCE.",
        )  # fmt: skip


def allocatable(node: Object) -> dict[str, float]:
    """What a node offers, by resource."""
    found: dict[str, float] = {}
    for name, value in ((node.get("status") or {}).get("allocatable") or {}).items():
        try:
            found[name] = quantity(str(value))
        except ValueError:
            continue
    return found


def is_ready(node: Object) -> bool:
    """Whether pods may be put on a node."""
    conditions = (node.get("status") or {}).get("conditions") or ()
    says = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return says and not (node.get("spec") or {}).get("unschedulable")


def tolerated(taint: Mapping[str, Any], tolerations: Sequence[Mapping[str, Any]]) -> bool:
    """Whether one of the tolerations is for the taint, as the scheduler sees it."""
    return any(_matches(one, taint) for one in tolerations)


def _matches(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") not in (None, taint.get("effect")):
        return False
    if toleration.get("key") not in (None, taint["key"]):
        return False
    if toleration.get("operator") == "Exists":
        return True
    return toleration.get("key") is not None and toleration.get("value", "") == taint.get("value", "")
