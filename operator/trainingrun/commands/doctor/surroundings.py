"""Findings about the namespace, the clock, the scheduler, and what the user may do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from trainingrun.api import names
from trainingrun.commands.doctor.facts import Facts, Right, Unseen, named, seen, variable
from trainingrun.commands.doctor.findings import Finding, fail, ok, warn
from trainingrun.commands.doctor.needs import Needs

ENFORCE: Final = "pod-security.kubernetes.io/enforce"
SKEW_SECONDS: Final = 5.0  # above which ages and times left in the output are wrong
BAD_SKEW_SECONDS: Final = 120.0  # above which tokens and certificates may not be valid yet, or no longer
GANG_GROUPS: Final = {
    "scheduling.x-k8s.io": "scheduler-plugins", "scheduling.volcano.sh": "Volcano", "kueue.x-k8s.io": "Kueue",
    "scheduling.run.ai": "KAI",
}  # fmt: skip
KUEUE: Final = "kueue.x-k8s.io"


@dataclass(frozen=True)
class Purpose:
    """A right, what for, and whether nothing goes without it."""

    right: Right
    what_for: str
    needed: bool = False


RIGHTS: Final = (
    *(Purpose(Right(verb, names.PLURAL, names.GROUP), "apply and follow runs", True)
      for verb in ("get", "list", "watch", "create", "patch", "delete")),
    Purpose(Right("list", "pods"), "logs", True),
    Purpose(Right("get", "pods", subresource="log"), "logs", True),
    Purpose(Right("create", "pods"), "artifacts and get-model, which start a pod"),
    Purpose(Right("delete", "pods"), "artifacts and get-model, which start a pod"),
    Purpose(Right("get", "persistentvolumeclaims"), "artifacts"),
    Purpose(Right("list", "events"), "the reasons that status shows"),
    Purpose(Right("list", "deployments", "apps", everywhere=True), "artifacts, which takes the operator's image"),
    Purpose(Right("list", "nodes", everywhere=True), "doctor"),
)  # fmt: skip


def namespace(facts: Facts, _: Needs | None) -> Iterator[Finding]:
    """Whether the namespace and the pods' account are there, and what Pod Security it has."""
    if isinstance(facts.namespaces, Unseen):
        yield warn(
            "namespace", f"Namespace {facts.namespace} can't be seen: {facts.namespaces.why}", "Ask for the rights."
        )
    elif not facts.namespaces:
        yield fail(
            "namespace",
            f"There is no namespace {facts.namespace}.",
            f"Make it: kubectl create namespace {facts.namespace}.",
        )
    else:
        level = (facts.namespaces[0]["metadata"].get("labels") or {}).get(ENFORCE)
        enforced = f"enforces Pod Security {level}" if level else "enforces no Pod Security"
        yield ok("namespace", f"{facts.namespace} is there and {enforced}; pods of runs meet restricted.")
    accounts = {variable(one, "TRAININGRUN_WORKER_SERVICE_ACCOUNT") or "default" for one in seen(facts.operators)}
    for name in sorted(accounts):
        if not isinstance(facts.accounts, Unseen) and named(facts.accounts, name) is None:
            yield fail(
                "namespace", f"The pods' ServiceAccount {name} is not in namespace {facts.namespace}.",
                f"Make it: kubectl -n {facts.namespace} create serviceaccount {name}.",
            )  # fmt: skip


def clock(facts: Facts, _: Needs | None) -> Iterator[Finding]:
    """Whether this machine's clock agrees with the API server's."""
    if isinstance(facts.clock_seconds, Unseen):
        yield warn("clock", f"The API server's clock can't be seen: {facts.clock_seconds.why}", "Compare them by hand.")
        return
    off = facts.clock_seconds
    how = f"This machine's clock is {abs(off):,.0f} s {'ahead of' if off > 0 else 'behind'} the API server's"
    mend = "Set the clocks by NTP, here and on the cluster's nodes."
    if abs(off) >= BAD_SKEW_SECONDS:
        yield fail("clock", f"{how}: tokens and certificates may not be valid.", mend)
    elif abs(off) >= SKEW_SECONDS:
        yield warn("clock", f"{how}: ages and times left are off by that.", mend)
    else:
        yield ok("clock", "This machine's clock agrees with the API server's.")


def rights(facts: Facts, _: Needs | None) -> Iterator[Finding]:
    """Whether the user may do what the commands need."""
    unknown = [one for one in facts.rights.values() if isinstance(one, Unseen)]
    if unknown:
        yield warn("rights", f"Your rights can't be asked for: {unknown[0].why}", "Ask for the rights.")
        return
    lacking = [one for one in RIGHTS if facts.rights.get(one.right) is False]
    for purpose in dict.fromkeys((one.what_for, one.needed) for one in lacking):
        what_for, needed = purpose
        found = [one.right for one in lacking if (one.what_for, one.needed) == purpose]
        words = ", ".join(one.words for one in found)
        everywhere = found[0].everywhere
        where = "in the whole cluster" if everywhere else f"in namespace {facts.namespace}"
        kind = "ClusterRole" if everywhere else "Role"
        say = fail if needed else warn
        yield say("rights", f"You may not {words} {where}, for {what_for}.", f"Ask for a {kind} that allows it.")
    if not lacking:
        yield ok("rights", f"You may do in namespace {facts.namespace} all that the commands need.")


def scheduler(facts: Facts, needs: Needs | None) -> Iterator[Finding]:
    """Whether gangs get their nodes all at once, and whether what the run names is there."""
    there = sorted(name for group, name in GANG_GROUPS.items() if group in facts.groups)
    if needs is not None and needs.queue is not None:
        yield from _queue(facts, needs.queue)
    if needs is not None and needs.scheduler is not None and not there:
        yield warn(
            "scheduler", f"The run names the scheduler {needs.scheduler}, but no PodGroup or queue is known here.",
            "Make sure that it runs: pods that name a scheduler which isn't there wait for ever.",
        )  # fmt: skip
    elif there:
        yield ok("scheduler", f"Whole gangs can be scheduled: {', '.join(there)} is installed.")
    elif needs is None or any(one.is_gang and one.count > 1 for one in needs.pods):
        yield warn(
            "scheduler", "Nothing here schedules whole gangs: two runs may each hold a part of the GPUs and wait.",
            "Install scheduler-plugins or Kueue where several runs share GPUs (docs/gang-scheduling.md).",
        )  # fmt: skip
    else:
        yield ok("scheduler", "The run's gangs are of one pod each: the cluster's own scheduler will do.")


def _queue(facts: Facts, name: str) -> Iterator[Finding]:
    if KUEUE not in facts.groups:
        yield fail(
            "scheduler",
            f"The run waits in queue {name}, but Kueue is not installed.",
            "Install it, or remove queueName.",
        )
    elif isinstance(facts.queues, Unseen):
        yield warn(
            "scheduler", f"Whether queue {name} is there can't be seen: {facts.queues.why}", "Ask for the rights."
        )
    elif named(facts.queues, name) is None:
        has = ", ".join(one["metadata"]["name"] for one in facts.queues) or "none"
        yield fail(
            "scheduler", f"There is no LocalQueue {name} in namespace {facts.namespace}; there are: {has}.",
            "Correct scheduling.queueName, or make the queue.",
        )  # fmt: skip


def secrets(facts: Facts, needs: Needs | None) -> Iterator[Finding]:
    """Whether the Secrets that the run names are there; nothing is read of them."""
    for name in needs.secrets if needs is not None else ():
        found = facts.secrets.get(name, Unseen("It was not looked for."))
        if isinstance(found, Unseen):
            yield warn("secrets", f"Whether Secret {name} is there can't be seen: {found.why}", "Ask for the rights.")
        elif found:
            yield ok("secrets", f"Secret {name} is there.")
        else:
            yield fail(
                "secrets", f"The run names Secret {name}, which is not in namespace {facts.namespace}.",
                f"Make it: kubectl -n {facts.namespace} create secret generic {name} --from-literal=HF_TOKEN=… .",
            )  # fmt: skip
