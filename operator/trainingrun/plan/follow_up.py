"""The objects that follow from the persisted status: what is applied and what is deleted."""

from typing import Final

from trainingrun.api.status import StageStatus, TrainingRunStatus
from trainingrun.api.training_run import TrainingRun
from trainingrun.manifests.meta import Manifest, work_name
from trainingrun.manifests.persistentvolumeclaim import persistentvolumeclaim
from trainingrun.plan import gates
from trainingrun.plan.actions import Deletion
from trainingrun.plan.draft import Draft
from trainingrun.plan.gates import Gate
from trainingrun.plan.observed import PodView, WorkView
from trainingrun.stages.builders import objects as build

OVER: Final = frozenset({"Pending", "Waiting", "Suspended"})  # phases in which no attempt may be at work


def objects(draft: Draft, persisted: TrainingRunStatus, invalid: Gate | None) -> tuple[Manifest, ...]:
    """The claim where it is the operator's to make, and the objects of attempts that have none yet."""
    if invalid is not None:
        return ()
    made: list[Manifest] = []
    if draft.observed.claim is None:
        made.extend(claim(draft.context.run))
    known = {stage.name: stage for stage in persisted.stages}
    present = {(one.stage, one.attempt) for one in draft.observed.work}
    for instance in draft.context.instances:
        stage = known.get(instance.name)
        if stage is None or stage.phase != "Running" or (stage.name, stage.attempt) in present:
            continue
        # What the draft has just ended is not made again, even if its object is gone.
        if draft.stages[instance.name].phase == "Running" and gates.kind(draft, instance) is None:
            made.extend(build(draft.context, instance, stage.attempt, tuple(stage.batch)))
    return tuple(made)


def claim(run: TrainingRun) -> list[Manifest]:
    """The claim that the run asks for; none where it names one that is there."""
    storage = run.spec.storage
    if storage.claim is None:
        return []
    return [persistentvolumeclaim(run.metadata, storage.claim, storage.deletion_policy == "Delete")]


def deletions(draft: Draft, persisted: TrainingRunStatus) -> tuple[Deletion, ...]:
    """Objects of attempts that are over by the persisted status, and pods of nodes that are gone."""
    known = {stage.name: stage for stage in persisted.stages}
    going = [one for one in draft.observed.work if not one.deleting and _is_over(draft, known.get(one.stage), one)]
    found = [Deletion(one.kind, one.name, one.uid) for one in going]
    run = draft.context.run.metadata.name
    kept = {work_name(run, stage.name, stage.attempt) for stage in persisted.stages}
    kept |= {one.name for one in draft.observed.work} | {
        work_name(run, stage.name, stage.attempt) for stage in draft.stages.values()
    }
    found += [Deletion("ConfigMap", name) for name in draft.observed.config_maps if name not in kept]
    found += [Deletion("Pod", pod.name, force=True) for pod in draft.observed.pods if _is_stranded(pod)]
    return tuple(found)


def _is_over(draft: Draft, stage: StageStatus | None, work: WorkView) -> bool:
    if stage is None or work.attempt < stage.attempt:
        return True
    if stage.phase in OVER:
        # A batch that is complete holds nothing: it stays for its logs until the next one is started, if there is one.
        return work.end != "Complete" or work.attempt != stage.attempt
    # A failed stage keeps its ended pods for their logs, and gives back what still runs.
    pods = [pod for pod in draft.observed.pods if (pod.stage, pod.attempt) == (work.stage, work.attempt)]
    return stage.phase == "Failed" and any(pod.phase in ("Pending", "Running") for pod in pods)


def _is_stranded(pod: PodView) -> bool:
    """A pod that nobody will end: its grace period is over and its node is not there to say so."""
    return pod.deleting and pod.delete_grace_ended and bool(pod.node) and not pod.node_ready
