"""The whole status of a run, made of its stages."""

from typing import Final

from trainingrun.api.names import TUNING_KINDS
from trainingrun.api.progress import Progress
from trainingrun.api.status import Phase, StageStatus, TrainingRunStatus
from trainingrun.plan import bounds, notifications, validity
from trainingrun.plan.conditions import conditions
from trainingrun.plan.draft import Draft
from trainingrun.plan.gates import Gate
from trainingrun.plan.times import duration
from trainingrun.stages.instances import GANG_KINDS

# Which running stage the run's one line is about, when several run.
TELLING_ORDER: Final = (
    "pretrain", *TUNING_KINDS, "prepare", "tokenize", "evaluate", "convert", "compare", "judge", "release", "report",
)  # fmt: skip


def summarise(draft: Draft, gate: Gate | None, invalid: Gate | None) -> TrainingRunStatus:
    """The status to write; equal to the persisted one where nothing has changed."""
    phase = run_phase(draft, gate)
    told = _told_stage(draft)
    progress = told.progress if told is not None else None
    old = draft.context.run.status
    status = TrainingRunStatus(
        observed_generation=draft.generation,
        phase=phase,
        stage=told.name if told is not None and phase != "Succeeded" else None,
        progress=f"{progress.step}/{progress.total}" if progress is not None and progress.total else None,
        loss=_loss(draft),
        eta=_eta(progress) if phase == "Running" else None,
        restarts=sum(stage.restarts + stage.preemptions for stage in draft.stages.values()),
        conditions=conditions(draft, phase, gate, invalid, old.conditions),
        stages=list(draft.stages.values()),
        attempts=draft.bounded_attempts(),
        checkpoints=draft.bounded_checkpoints(),
        gpu_hours=draft.gpu_hours,
        suspected_nodes=draft.suspected_nodes,
        avoided_nodes=draft.avoided_nodes,
        avoided_because=draft.avoided_because,
        asked=draft.asked,
        answer=draft.answer,
        warnings=list(validity.warnings(draft.context))[:16],
    )
    return bounds.fitted(notifications.noted(draft, status))


def run_phase(draft: Draft, gate: Gate | None) -> Phase:
    """Where the run stands."""
    phases = {stage.phase for stage in draft.stages.values()}
    if phases == {"Succeeded"}:
        return "Succeeded"
    if "Running" in phases:
        return "Running"
    if gate is not None and gate.reason == "Suspended":
        return "Suspended"
    if "Failed" in phases and all(_is_stuck(draft, name) for name in draft.stages):
        return "Failed"
    return "Waiting" if gate is not None or phases - {"Pending", "Succeeded"} else "Pending"


def _is_stuck(draft: Draft, name: str) -> bool:
    """Whether a stage has ended, or waits for one that has failed."""
    if draft.stages[name].phase in ("Succeeded", "Failed"):
        return True
    instance = next(one for one in draft.context.instances if one.name == name)
    before = (*instance.needs, *((instance.follows,) if instance.follows else ()))
    return any(draft.stages[one].phase == "Failed" or not _done(draft, one) and _is_stuck(draft, one) for one in before)


def _done(draft: Draft, name: str) -> bool:
    return draft.stages[name].phase == "Succeeded"


def _told_stage(draft: Draft) -> StageStatus | None:
    running = [stage for stage in draft.stages.values() if stage.phase == "Running"]
    if running:
        return min(running, key=lambda stage: TELLING_ORDER.index(stage.kind))
    failed = [stage for stage in draft.stages.values() if stage.phase == "Failed"]
    unfinished = [stage for stage in draft.stages.values() if stage.phase != "Succeeded"]
    return next(iter(failed or unfinished), None)


def _loss(draft: Draft) -> str | None:
    losses = [
        stage.progress.loss
        for stage in draft.stages.values()
        if stage.kind in GANG_KINDS and stage.progress is not None and stage.progress.loss is not None
    ]
    return f"{losses[-1]:.3f}" if losses else None


def _eta(progress: Progress | None) -> str | None:
    return duration(progress.eta_seconds) if progress is not None and progress.eta_seconds is not None else None
