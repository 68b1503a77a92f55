"""The run's conditions, after the Kubernetes API conventions and readable by kstatus."""

from collections.abc import Iterable, Sequence

from trainingrun.api.status import MAX_MESSAGE, Condition, Phase, StageStatus
from trainingrun.plan.draft import Draft, timestamp
from trainingrun.plan.gates import Gate

# Reasons of a running or waiting stage under which it waits for a person, and not for time.
NEEDS_A_PERSON = frozenset(
    {
        "ClaimLost", "ClaimMissing", "ClaimNotShared", "ClaimTooSmall", "ContainerCannotStart", "ImagePullFailed",
        "InputsChanged", "InvalidSpec", "ObjectRefused", "PodsMissing", "PodsRefused", "PyTorchJobMissing",
        "Unschedulable", "VolumeFull",
    }
)  # fmt: skip

Said = tuple[str, bool, str, str]  # type, whether it holds, reason, message


def conditions(
    draft: Draft, phase: Phase, gate: Gate | None, invalid: Gate | None, old: Sequence[Condition]
) -> list[Condition]:
    """All conditions; a transition time changes only with its status."""
    known = {one.type: one for one in old}
    return [_condition(draft, known.get(said[0]), said) for said in _all(draft, phase, gate, invalid)]


def _condition(draft: Draft, before: Condition | None, said: Said) -> Condition:
    kind, holds, reason, message = said
    status = "True" if holds else "False"
    unchanged = before is not None and before.status == status
    return Condition(
        type=kind,
        status="True" if holds else "False",
        reason=reason,
        message=message[:MAX_MESSAGE],
        observed_generation=draft.generation,
        last_transition_time=before.last_transition_time if unchanged and before else timestamp(draft.now),
    )


def _all(draft: Draft, phase: Phase, gate: Gate | None, invalid: Gate | None) -> Iterable[Said]:
    suspended = draft.context.run.spec.suspend
    failed = [stage for stage in draft.stages.values() if stage.phase == "Failed"]
    trouble = _trouble(draft, phase, gate)
    summary = _summary(draft, phase, gate)
    yield "Ready", phase == "Succeeded", phase, summary
    yield (
        "Progressing",
        phase in ("Running", "Pending") and trouble is None,
        trouble.reason if trouble else phase,
        summary,
    )
    yield (
        "Suspended",
        suspended,
        "Suspended" if suspended else "NotSuspended",
        f"spec.suspend is {str(suspended).lower()}.",
    )
    yield "Succeeded", phase == "Succeeded", phase, summary
    first = failed[0] if failed else None
    yield (
        "Failed",
        phase == "Failed",
        (first.reason or "Failed") if first else "NotFailed",
        _stage_message(first) if first else "No stage has failed.",
    )
    yield (
        "Stalled",
        trouble is not None,
        trouble.reason if trouble else "NotStalled",
        trouble.message if trouble else "Nothing waits for a person.",
    )
    yield (
        "Valid",
        invalid is None,
        invalid.reason if invalid else "Valid",
        invalid.message if invalid else "The spec is valid.",
    )


def _trouble(draft: Draft, phase: Phase, gate: Gate | None) -> Gate | None:
    """What waits for a person: a failed stage, a gate, or a stage that is stuck."""
    if phase == "Succeeded":
        return None
    for stage in draft.stages.values():
        if stage.phase == "Failed":
            return Gate(stage.reason or "Failed", _stage_message(stage))
    if gate is not None and gate.reason in NEEDS_A_PERSON:
        return gate
    for stage in draft.stages.values():
        if stage.phase in ("Running", "Waiting", "Pending") and stage.reason in NEEDS_A_PERSON:
            return Gate(stage.reason or "", _stage_message(stage))
    return None


def _stage_message(stage: StageStatus) -> str:
    return f"Stage {stage.name}: {stage.message or stage.reason or 'no reason was given.'}"


def _summary(draft: Draft, phase: Phase, gate: Gate | None) -> str:
    started = [stage for stage in draft.stages.values() if stage.phase == "Running"]
    if phase == "Succeeded":
        return "Every stage is complete."
    if phase == "Running":
        queued = ", ".join(stage.name for stage in started if stage.reason == "Queued")
        running = ", ".join(stage.name for stage in started if stage.reason != "Queued")
        return " ".join(f"{what}: {names}." for what, names in (("Running", running), ("Queued", queued)) if names)
    if phase == "Failed":
        return " ".join(_stage_message(stage) for stage in draft.stages.values() if stage.phase == "Failed")
    if gate is not None:
        return gate.message
    waiting = next((stage for stage in draft.stages.values() if stage.phase in ("Waiting", "Pending")), None)
    return _stage_message(waiting) if waiting is not None else phase
