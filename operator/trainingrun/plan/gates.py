"""What keeps a run or a stage from starting, in the order in which a user would want to hear of it."""

from dataclasses import dataclass
from typing import Final

from trainingrun.api.base import quantity
from trainingrun.api.names import TUNING_KINDS
from trainingrun.plan import validity
from trainingrun.plan.draft import Draft, epoch
from trainingrun.plan.waits import LONGEST_BACKOFF, left
from trainingrun.stages.instances import Instance
from trainingrun.stages.layout import Place
from trainingrun.stages.tuning import tuning

KIND_SECONDS: Final = 15.0  # until a run that waits for a kind looks for it again
FIXED_KINDS: Final = ("tokenize", "pretrain", *TUNING_KINDS)  # stages that no change of the spec makes anew


@dataclass(frozen=True)
class Gate:
    """Why something waits."""

    reason: str
    message: str


def invalid(draft: Draft) -> Gate | None:
    """The spec's errors, all of them in one message; nothing starts while there are any."""
    errors = validity.errors(draft.context)
    if errors:
        return Gate("InvalidSpec", " ".join(f"{note.path}: {note.message}" for note in errors))
    return _changed_inputs(draft)


def _changed_inputs(draft: Draft) -> Gate | None:
    """A changed input of a stage that runs or has finished: the admission policy refuses it where it is installed."""
    for instance in draft.context.instances:
        stage = draft.stages[instance.name]
        place = draft.context.places[instance.name]
        fixed = instance.kind in FIXED_KINDS and stage.attempt > 0 and stage.phase != "Failed"
        if fixed and stage.inputs not in (None, place.inputs):
            return Gate(
                "InputsChanged",
                f"What stage {instance.name} is made of was changed after it had started: undo the change, "
                "or make a new run, which uses every finished stage that it has in common with this one.",
            )
    return None


def storage(draft: Draft) -> Gate | None:
    """What is wrong with the run's claim, if anything."""
    context, claim = draft.context, draft.observed.claim
    storage = context.run.spec.storage
    if claim is None:
        if storage.claim is not None:
            return Gate("ClaimMissing", f"Claim {context.claim} is being made.")
        return Gate(
            "ClaimMissing",
            f"Claim {context.claim} does not exist in namespace {context.run.metadata.namespace}: "
            "create it, or let the run make one with spec.storage.claim.",
        )
    if claim.deleting or claim.phase == "Lost":
        return Gate("ClaimLost", f"Claim {claim.name} is {'being deleted' if claim.deleting else 'lost'}: replace it.")
    spans = [one.name for one in context.instances if pods(draft, one) > 1]
    if spans and not {"ReadWriteMany"} & set(claim.access_modes):
        return Gate(
            "ClaimNotShared",
            f"Claim {claim.name} is {', '.join(claim.access_modes)}, but {spans[0]} has several pods that may lie on "
            "several nodes: use a claim with access mode ReadWriteMany.",
        )
    if storage.claim is not None and claim.capacity < quantity(storage.claim.size) * 0.999:
        return Gate(
            "ClaimTooSmall",
            f"Claim {claim.name} has {claim.capacity / 2**30:.1f} GiB, but spec.storage.claim.size asks for "
            f"{storage.claim.size}: enlarge the claim.",
        )
    return None


def pods(draft: Draft, instance: Instance) -> int:
    """How many pods an attempt of a stage has."""
    spec = draft.context.run.spec
    if instance.kind == "tokenize":
        return min(spec.tokenize.parallelism, spec.tokenize.shards * len(spec.data))
    if instance.kind == "pretrain":
        return spec.pretrain.nodes
    if instance.kind in TUNING_KINDS:
        return tuning(draft.context, instance).nodes
    return 1


def stage(draft: Draft, instance: Instance) -> Gate | None:
    """What keeps one stage from starting although its needs are met."""
    unserved = kind(draft, instance)
    if unserved is not None:
        return unserved
    known = draft.stages[instance.name]
    # Another replica may have written the time, by another clock.
    wait = left(epoch(known.not_before) - LONGEST_BACKOFF, LONGEST_BACKOFF, draft.now) if known.not_before else 0.0
    if wait:
        draft.wake_in([wait])
        return Gate(known.reason or "BackingOff", known.message or "")
    return _neighbour(draft, instance) or _leftovers(draft, instance)


def kind(draft: Draft, instance: Instance) -> Gate | None:
    """What is said where the cluster lacks the kind of object that a stage needs."""
    if not instance.is_gang or draft.observed.pytorchjobs_served:
        return None
    draft.wake_in([KIND_SECONDS])
    return Gate(
        "PyTorchJobMissing",
        f"The cluster does not know the kind PyTorchJob that stage {instance.name} needs: install Kubeflow's "
        "training-operator, version 1.8 or 1.9.",
    )


def _neighbour(draft: Draft, instance: Instance) -> Gate | None:
    """Another run at work in the same folder: two writers would tear it, and its result can be used afterwards.

    Tokens that are complete are nobody's work, also where a stage that goes on is made of them.
    """
    place = draft.context.places[instance.name]
    mine = draft.context.run.metadata
    for other in draft.observed.neighbours:
        what = _shared(place, instance, frozenset(other.working_on) - draft.observed.made)
        if what:
            return Gate(
                "FolderInUse",
                f"Run {other.name} makes the same {what} on claim {draft.context.claim}: "
                f"{mine.name} waits for it and uses its result.",
            )
    return None


def _shared(place: Place, instance: Instance, working_on: frozenset[str]) -> str:
    """What of a stage's output another run makes: the whole stage, or tokens of some of its sources; "" for nothing."""
    if place.folder in working_on:
        return instance.name
    sources = [name for name, folder in place.tokens.items() if folder in working_on]
    return f"tokens of {', '.join(sources)}" if sources else ""


def _leftovers(draft: Draft, instance: Instance) -> Gate | None:
    held = draft.leftovers(instance.name)
    if held:
        return Gate("WaitingForPods", f"Waiting for {', '.join(held[:4])} of the previous attempt to end.")
    return None
