"""The end of a stage: whether it is one, and what the stage says of itself."""

from importlib import metadata
from typing import Any

from trainingrun_workers.contract import SftSpec
from trainingrun_workers.errors import BadData
from trainingrun_workers.sft.prepared import RowCounts
from trainingrun_workers.sft.record import Record


def check_reached(state: Any, may_stop_early: bool) -> None:
    """BadData where the trainer has come back before its last step, unless it was asked to stop early.

    That it has written weights says nothing: it does so of half-trained ones too.
    """
    if state.global_step < state.max_steps and not may_stop_early:
        raise BadData(
            "StoppedEarly",
            f"Axolotl stopped by itself at step {state.global_step} of {state.max_steps}, as loss_watchdog_threshold "
            "does: lower the learning rate or look at the data.",
        )


def output(state: Any, record: Record, counts: RowCounts, spec: SftSpec) -> dict[str, Any]:
    """What goes into the stage's marker; tokens are all that the model has seen, with padding."""
    return {
        "steps": state.global_step,
        "loss": record.curve.last_loss,
        "firstLoss": record.curve.first_loss,
        "evaluationLoss": next((one["eval_loss"] for one in reversed(state.log_history) if "eval_loss" in one), None),
        "rows": counts.rows,
        "dropped": counts.dropped,
        "overlong": counts.overlong,
        "unlabelled": counts.unlabelled,
        "tokens": record.tokens,
        **(record.rewards or {"trainedTokens": record.trained_tokens}),
        "cpu": spec.cpu,
        "axolotlVersion": metadata.version("axolotl"),
        "transformersVersion": metadata.version("transformers"),
    }
