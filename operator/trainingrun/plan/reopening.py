"""Stages that have ended and begin again."""

from typing import Final

from trainingrun.plan import checkpoints
from trainingrun.plan.draft import Draft
from trainingrun.plan.gates import Gate
from trainingrun.stages.instances import Instance

# Made again when their inputs change.
REMADE_KINDS: Final = ("convert", "evaluate", "prepare", "release", "compare", "report", "judge")


def reopen(draft: Draft, instance: Instance, gate: Gate | None) -> None:
    """Start again what a changed spec asks for: a failed stage, or a finished one whose inputs may change."""
    stage, place = draft.stages[instance.name], draft.context.places[instance.name]
    if stage.phase == "Failed" and stage.generation != draft.generation and gate is None:
        begin_anew(draft, instance)
    if stage.inputs in (None, place.inputs) or instance.kind not in REMADE_KINDS:
        return
    if stage.phase in ("Succeeded", "Waiting"):
        if instance.kind == "evaluate" and instance.variant is None:
            checkpoints.forget_scores(draft)
        draft.set(instance.name, phase="Waiting", inputs=None, finished_at=None, output={})


def begin_anew(draft: Draft, instance: Instance) -> None:
    """Let a failed stage go on from what it has on the volume, with budgets as at first."""
    stage, place = draft.stages[instance.name], draft.context.places[instance.name]
    fresh = {"restarts": 0, "stalled": 0, "waits": 0, "not_before": None, "finished_at": None, "inputs": None}
    draft.set(instance.name, phase="Waiting", **fresh)
    if stage.inputs not in (None, place.inputs):
        _forget_output(draft, instance)


def _forget_output(draft: Draft, instance: Instance) -> None:
    """Forget what lies in a folder that is not the stage's any more."""
    draft.set(instance.name, progress=None, last_step=None, skips=[], losses=[])
    if instance.kind == "pretrain":
        draft.checkpoints.clear()
