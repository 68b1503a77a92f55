"""Findings about what a namespace may use: ResourceQuotas and LimitRanges."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from trainingrun.api.base import quantity
from trainingrun.commands.doctor.facts import Facts, Object, Unseen, seen
from trainingrun.commands.doctor.findings import Finding, fail, ok, warn
from trainingrun.commands.doctor.needs import Needs, Pods
from trainingrun.commands.doctor.volumes import size_of

COMPUTE: Final = ("cpu", "memory")
OBJECTS: Final = {
    "pods": None, "count/pods": None, "count/jobs.batch": "Job", "count/pytorchjobs.kubeflow.org": "PyTorchJob",
}  # fmt: skip


def quotas(facts: Facts, needs: Needs | None) -> Iterator[Finding]:
    """Whether each stage fits into what the namespace may still use."""
    if isinstance(facts.quotas, Unseen):
        yield warn("quota", f"ResourceQuotas can't be seen: {facts.quotas.why}", "Ask for the rights.")
        return
    if not facts.quotas:
        yield ok("quota", f"Namespace {facts.namespace} has no ResourceQuota.")
        return
    found = [finding for one in facts.quotas for finding in _quota(one, facts, needs)]
    yield from found or [
        ok("quota", f"{len(facts.quotas)} ResourceQuotas leave room{' for every stage' if needs else ''}.")
    ]


def _quota(one: Object, facts: Facts, needs: Needs | None) -> Iterator[Finding]:
    name = one["metadata"]["name"]
    if (one["spec"].get("scopes") or one["spec"].get("scopeSelector")) and needs is not None:
        yield warn(
            "quota", f"ResourceQuota {name} is for some pods only, which is not worked out here.",
            f"Look at it: kubectl -n {facts.namespace} describe resourcequota {name}.",
        )  # fmt: skip
        return
    status = one.get("status") or {}
    used = status.get("used") or {}
    for key, text in (one["spec"].get("hard") or {}).items():
        hard, taken = _number(text), _number(used.get(key, "0"))
        if needs is None:
            yield from _exhausted(name, key, hard, taken, facts)
        else:
            yield from _against(name, key, hard, taken, facts, needs)


def _exhausted(name: str, key: str, hard: float, taken: float, facts: Facts) -> Iterator[Finding]:
    if hard == 0 or taken >= hard:
        what = "allows none of" if hard == 0 else "is used up for"
        yield warn("quota", f"ResourceQuota {name} {what} {key} ({taken:g} of {hard:g}).", _raise(facts, name))


def _against(name: str, key: str, hard: float, taken: float, facts: Facts, needs: Needs) -> Iterator[Finding]:
    wanted, largest, without = _wanted(key, facts, needs)
    if without:
        yield fail(
            "quota", f"ResourceQuota {name} counts {key}, but pods of {', '.join(without)} name none, and are refused.",
            f"Give these stages resources, or the namespace a LimitRange with a default for {key}.",
        )  # fmt: skip
    if wanted > hard:
        yield fail(
            "quota", f"ResourceQuota {name} allows {hard:,.15g} {key}, but {largest} wants {wanted:,.15g}.",
            f"{_raise(facts, name)} Or ask for less.",
        )  # fmt: skip
    elif wanted > hard - taken:
        yield warn(
            "quota",
            f"ResourceQuota {name} has {hard - taken:,.15g} of {hard:,.15g} {key} left, but {largest} wants "
            f"{wanted:,.15g}: it waits until others end.",
            _raise(facts, name),
        )


def _raise(facts: Facts, name: str) -> str:
    return f"Have it raised: kubectl -n {facts.namespace} describe resourcequota {name}."


def _wanted(key: str, facts: Facts, needs: Needs) -> tuple[float, str, list[str]]:
    """The most that one stage wants of what a quota counts, which one, and the stages that lack what it asks for."""
    if key == "requests.storage":
        return size_of(needs.new_claim), "the run's claim", []
    if key == "persistentvolumeclaims":
        return float(needs.new_claim is not None), "the run's claim", []
    amounts = {one.stage: _of(key, one) for one in needs.pods}
    known = {stage: amount for stage, amount in amounts.items() if amount is not None}
    largest = max(known, key=lambda stage: known[stage], default="")
    missing = [stage for stage, amount in amounts.items() if amount is None] if _is_asked_of_pods(key) else []
    without = [] if _has_default(key, facts) else missing
    return known.get(largest, 0.0), f"stage {largest}", without


def _of(key: str, one: Pods) -> float | None:
    """What a stage takes of a quota's key; None where its pods don't say."""
    if key in OBJECTS:
        kind = OBJECTS[key]
        return float(one.count) if kind is None else float(one.kind == kind)
    section, _, resource = key.rpartition(".") if key.startswith(("requests.", "limits.")) else ("requests", "", key)
    if key.startswith(("requests.", "limits.")):
        section, _, resource = key.partition(".")
    amount = (one.limits if section == "limits" else one.requests).get(resource)
    if amount is None:
        return None if resource in COMPUTE else 0.0
    return amount * one.count


def _is_asked_of_pods(key: str) -> bool:
    return key.partition(".")[2] in COMPUTE or key in COMPUTE


def _has_default(key: str, facts: Facts) -> bool:
    section = "default" if key.startswith("limits.") else "defaultRequest"
    resource = key.rpartition(".")[2]
    items = [item for one in seen(facts.limit_ranges) for item in one["spec"].get("limits") or ()]
    # A default limit is the request, too, of a container that has none.
    sections = {section, "default"}
    return any(
        item.get("type") == "Container" and resource in (item.get(part) or {}) for item in items for part in sections
    )


def limit_ranges(facts: Facts, needs: Needs | None) -> Iterator[Finding]:
    """Whether a LimitRange refuses a stage's pods or the claim, or gives pods a memory limit that nobody meant."""
    if isinstance(facts.limit_ranges, Unseen):
        yield warn("limit range", f"LimitRanges can't be seen: {facts.limit_ranges.why}", "Ask for the rights.")
        return
    items = [(one["metadata"]["name"], item) for one in facts.limit_ranges for item in one["spec"].get("limits") or ()]
    found = [finding for name, item in items for finding in _limit(name, item, needs)]
    yield from found
    if items and not found:
        yield ok("limit range", f"{len(facts.limit_ranges)} LimitRanges let {'the run' if needs else 'pods'} through.")


def _limit(name: str, item: Mapping[str, Mapping[str, str]], needs: Needs | None) -> Iterator[Finding]:
    kind = str(item.get("type"))
    if kind == "PersistentVolumeClaim":
        most = _number((item.get("max") or {}).get("storage", "1E"))
        size = size_of(needs.new_claim) if needs is not None else 0.0
        if size > most:
            yield fail(
                "limit range",
                f"LimitRange {name} allows claims of {most / 2**30:,.0f}Gi, but the run's is {size / 2**30:,.0f}Gi.",
                "Have it raised, or use a smaller claim.",
            )  # fmt: skip
    if kind not in ("Container", "Pod"):
        return
    for resource, text in (item.get("max") or {}).items():
        above = [one.stage for one in needs.pods if one.requests.get(resource, 0.0) > _number(text)] if needs else []
        if above:
            yield fail(
                "limit range",
                f"LimitRange {name} allows a {kind.lower()} {text} {resource}, but {', '.join(above)} ask for more.",
                "Have it raised, or ask for less.",
            )  # fmt: skip
    memory = (item.get("default") or {}).get("memory")
    bare = [one.stage for one in needs.pods if "memory" not in one.limits] if needs is not None else ["stages"]
    if memory is not None and bare:
        yield warn(
            "limit range", f"LimitRange {name} limits {', '.join(bare)} to {memory} of memory where they name none.",
            "Give them resources.limits.memory, or they may be killed for memory.",
        )  # fmt: skip


def _number(text: object) -> float:
    """The number of a quantity; those with exponents, such as 1e3, and below a thousandth (5u) are quantities too."""
    exponent = re.fullmatch(r"\d+(\.\d+)?[eE]-?\d+", str(text))
    try:
        return float(str(text)) if exponent else quantity(str(text))
    except ValueError:
        return 0.0
