"""The decision of one pass.

The status leads and the objects follow: a pass renders and deletes objects only as the *persisted* status says, and
decides on the next status from what it sees. So the attempt's number is always in the status before its object
exists, an attempt's end is recorded before its object goes, and an operator that dies anywhere finds its way.
"""

from trainingrun.api.status import TrainingRunStatus
from trainingrun.api.training_run import TrainingRun
from trainingrun.plan import asked, follow_up, gates, reopening, running, starting, summary
from trainingrun.plan.actions import Plan
from trainingrun.plan.draft import Draft
from trainingrun.plan.events import events
from trainingrun.plan.gates import Gate
from trainingrun.plan.observed import Observed
from trainingrun.stages.context import Context
from trainingrun.stages.instances import Instance
from trainingrun.stages.settings import Settings


def decide(run: TrainingRun, observed: Observed, settings: Settings, now: float) -> Plan:
    """What is done about a run; `now` is in seconds since the epoch."""
    if run.metadata.deleting:
        return Plan(status=run.status)
    claim_bytes = int(observed.claim.capacity) if observed.claim is not None else None
    context = Context(run, settings, claim_bytes)
    draft = Draft(context, observed, now)
    invalid = gates.invalid(draft)
    gate = invalid or _suspended(run) or gates.storage(draft)
    touched = asked.carry_out(draft)
    for instance in context.instances:
        if instance.name != touched:  # its new state is told before it moves on
            _step(draft, instance, gate)
    status = summary.summarise(draft, gate, invalid)
    objects, deletions = follow_up.objects(draft, run.status, invalid), follow_up.deletions(draft, run.status)
    return Plan(
        status=status,
        apply=objects,
        delete=deletions,
        events=events(run.status, status),
        requeue_after=_requeue(draft, run.status, status),
    )


def _suspended(run: TrainingRun) -> Gate | None:
    return Gate("Suspended", "The run is suspended: spec.suspend is true.") if run.spec.suspend else None


def _step(draft: Draft, instance: Instance, gate: Gate | None) -> None:
    """Move one stage on."""
    reopening.reopen(draft, instance, gate)
    phase = draft.stages[instance.name].phase
    if phase == "Running":
        running.follow(draft, instance, gate)
    elif phase in ("Pending", "Waiting", "Suspended"):
        starting.try_start(draft, instance, gate)


def _requeue(draft: Draft, before: TrainingRunStatus, after: TrainingRunStatus) -> float | None:
    attempts = {stage.name: stage.attempt for stage in before.stages}
    started = any(stage.phase == "Running" and attempts.get(stage.name) != stage.attempt for stage in after.stages)
    wakeups = [0.0] if started else draft.wakeups
    return min(wakeups, default=None)
