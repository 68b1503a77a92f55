"""Stages of one run that make the same: several variants may begin with the same fine-tuning, which is done once.

One of them leads, the first that has started or will; the others wait for it and end as it does. So a folder's claims
are of one stage's attempts only.
"""

from trainingrun.api.names import TUNING_KINDS
from trainingrun.api.status import StageStatus
from trainingrun.plan.draft import Draft, timestamp
from trainingrun.plan.gates import Gate
from trainingrun.stages.instances import Instance


def waits(draft: Draft, instance: Instance) -> Gate | None:
    """What is said while another stage of the run makes the same."""
    leader = _leader(draft, instance)
    if leader is None or leader.phase in ("Succeeded", "Failed"):
        return None
    return Gate("FolderInUse", f"Stage {leader.name} makes the same: {instance.name} waits for it and uses its result.")


def follows(draft: Draft, instance: Instance) -> bool:
    """End a stage as the one has ended that has made the same; whether there is one."""
    leader, place = _leader(draft, instance), draft.context.places[instance.name]
    if leader is None:
        return False
    done = leader.phase == "Succeeded"
    draft.set(
        instance.name,
        phase=leader.phase,
        generation=draft.generation,
        inputs=place.inputs,
        folder=place.folder,
        reason=leader.reason,
        message=f"Stage {leader.name} has made the same." if done else f"As stage {leader.name}: {leader.message}",
        finished_at=timestamp(draft.now),
        output=leader.output,
        not_before=None,
    )
    return True


def _leader(draft: Draft, instance: Instance) -> StageStatus | None:
    """The stage that works for this one; None where it works itself.

    Evaluations and releases have files of their own in a folder that they share, and so never follow another.
    """
    if instance.kind not in (*TUNING_KINDS, "prepare"):
        return None
    places = draft.context.places
    folder = places[instance.name].folder
    same = [draft.stages[one.name] for one in draft.context.instances if places[one.name].folder == folder]
    leader = next((one for one in same if one.attempt), same[0])
    return leader if leader.name != instance.name else None
