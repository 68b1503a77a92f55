"""Findings about storage: a volume that several pods on several nodes can have at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from trainingrun.api.base import quantity
from trainingrun.commands.doctor.facts import Facts, Object, Unseen, named, seen
from trainingrun.commands.doctor.findings import Finding, fail, ok, warn
from trainingrun.commands.doctor.needs import Needs

RWX: Final = "ReadWriteMany"
DEFAULT: Final = "storageclass.kubernetes.io/is-default-class"
# Words in the names of provisioners that make volumes for one node only, or for several. A StorageClass itself doesn't
# say which access modes it has.
ONE_NODE: Final = (
    "ebs.csi", "pd.csi", "disk.csi", "rbd.csi", "aws-ebs", "gce-pd", "azure-disk", "no-provisioner", "topolvm",
    "cinder",
)  # fmt: skip
# Not one of these: rancher.io/local-path, which gives ReadWriteMany where one node is all there is.
MANY_NODES: Final = (
    "nfs", "cephfs", "efs.csi", "file.csi", "filestore", "lustre", "fsx", "weka", "juicefs", "beegfs", "spectrumscale",
    "glusterfs", "quobyte", "vast", "trident", "longhorn", "portworx", "hammerspace", "storpool", "isilon",
    "powerscale",
)  # fmt: skip


def storage(facts: Facts, needs: Needs | None) -> Iterator[Finding]:
    """The claim of the run, or where there is none what claims could be made."""
    if needs is not None and needs.claim is not None:
        yield from _claim(facts, needs)
    elif isinstance(facts.classes, Unseen):
        yield warn("storage", f"StorageClasses can't be seen: {facts.classes.why}", "Ask for the rights.")
    elif needs is not None and needs.new_claim is not None:
        yield from _new_claim(facts, needs.new_claim)
    else:
        yield from _classes(facts)


def _claim(facts: Facts, needs: Needs) -> Iterator[Finding]:
    claim = named(facts.claims, needs.claim or "")
    if isinstance(facts.claims, Unseen):
        yield warn("storage", f"The claim {needs.claim} can't be seen: {facts.claims.why}", "Ask for the rights.")
        return
    if claim is None:
        has = ", ".join(one["metadata"]["name"] for one in facts.claims) or "none"
        yield fail(
            "storage", f"There is no claim {needs.claim} in namespace {facts.namespace}; there are: {has}.",
            "Make it, or let the run make one: storage.claim instead of claimName.",
        )  # fmt: skip
        return
    modes, phase = claim["spec"].get("accessModes") or [], (claim.get("status") or {}).get("phase")
    if phase == "Lost":
        yield fail("storage", f"The volume of claim {needs.claim} is gone.", "Restore it, or use another claim.")
    elif RWX not in modes and needs.shared:
        yield fail(
            "storage", f"The claim {needs.claim} is {', '.join(modes)}, but stages have several pods.",
            f"Use a claim with {RWX}.",
        )  # fmt: skip
    else:
        size = ((claim.get("status") or {}).get("capacity") or {}).get("storage", "of unknown size")
        yield ok("storage", f"The claim {needs.claim} is {phase}, {', '.join(modes)}, {size}.")


def _new_claim(facts: Facts, wanted: Mapping[str, object]) -> Iterator[Finding]:
    name = wanted.get("storageClassName")
    if name is None:
        yield from _default(facts)
        return
    found = named(facts.classes, str(name))
    if found is None:
        has = ", ".join(one["metadata"]["name"] for one in seen(facts.classes)) or "none"
        yield fail(
            "storage", f"There is no StorageClass {name}; there are: {has}.", "Correct storage.claim.storageClassName."
        )
        return
    yield _judged(found)


def _default(facts: Facts) -> Iterator[Finding]:
    defaults = [one for one in seen(facts.classes) if _is_default(one)]
    if not defaults:
        yield fail(
            "storage", "The run's claim names no StorageClass, and the cluster has no default one.",
            "Name one with storage.claim.storageClassName.",
        )  # fmt: skip
    for one in defaults[:1]:
        yield _judged(one)


def _classes(facts: Facts) -> Iterator[Finding]:
    """What there is for claims to come, and claims that are there."""
    ready = [
        one["metadata"]["name"]
        for one in seen(facts.claims)
        if RWX in (one["spec"].get("accessModes") or ()) and (one.get("status") or {}).get("phase") == "Bound"
    ]
    if ready:
        yield ok(
            "storage", f"Claims with {RWX} are bound in namespace {facts.namespace}: {', '.join(sorted(ready)[:5])}."
        )
    classes = seen(facts.classes)
    if not classes and not ready:
        yield fail(
            "storage", "There is no StorageClass and no claim.",
            f"Install storage with {RWX}: NFS, CephFS, Lustre or your cloud's file service.",
        )  # fmt: skip
    judged = [_judged(one) for one in classes]
    if any(one.level == "ok" for one in judged):
        judged = [one for one in judged if one.level == "ok"]
    yield from judged[:5]


def _judged(one: Object) -> Finding:
    name, provisioner = one["metadata"]["name"], str(one.get("provisioner", ""))
    called = f"The StorageClass {name}{' (the default)' if _is_default(one) else ''}, by {provisioner},"
    if any(word in provisioner for word in ONE_NODE):
        return warn(
            "storage", f"{called} makes volumes for one node at a time.",
            f"Use a StorageClass with {RWX} for runs with several pods.",
        )  # fmt: skip
    if any(word in provisioner for word in MANY_NODES):
        return ok("storage", f"{called} makes volumes with {RWX}, by its name.")
    return warn(
        "storage", f"{called} may or may not have {RWX}: a StorageClass doesn't say.",
        f"Make a claim with {RWX} and see whether it is bound.",
    )  # fmt: skip


def _is_default(one: Object) -> bool:
    return (one["metadata"].get("annotations") or {}).get(DEFAULT) == "true"


def size_of(claim: Mapping[str, object] | None) -> float:
    """Bytes that a claim to make asks for."""
    resources = claim.get("resources") if claim is not None else None
    requests = resources.get("requests") if isinstance(resources, dict) else None
    return quantity(str(requests["storage"])) if isinstance(requests, dict) and "storage" in requests else 0.0
