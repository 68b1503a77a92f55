"""Which checkpoints are due for conversion and evaluation, and what has come of them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from trainingrun.api.status import CheckpointStatus
from trainingrun.plan.draft import Draft
from trainingrun.stages.context import Context
from trainingrun_workers.contract import MAX_RESULT_BYTES, checkpoint_name

CONVERT_BATCH: Final = 8  # checkpoints an attempt at most, so that a failure repeats little
BYTES_A_SCORE: Final = 70  # of a termination message, by which scores come back


def is_due(context: Context, step: int) -> bool:
    """Whether a checkpoint is to be converted and evaluated: the last one always."""
    if step == context.translated.pretrain.total_steps:
        return True
    evaluate = context.run.spec.evaluate
    chosen = evaluate.checkpoints if evaluate is not None else None
    if chosen is None:
        return False
    return chosen.initial if step == 0 else step % chosen.every == 0


def note_complete(draft: Draft, steps: Iterable[int]) -> None:
    """Put complete checkpoints that are due into the list; those older than the oldest listed are dealt with."""
    oldest = min(draft.checkpoints, default=-1)
    full = len(draft.checkpoints) >= 40
    for step in steps:
        if step not in draft.checkpoints and is_due(draft.context, step) and not (full and step < oldest):
            draft.checkpoints[step] = CheckpointStatus(step=step)


def to_convert(draft: Draft) -> tuple[int, ...]:
    """The next batch of checkpoints to convert, oldest first."""
    return tuple(sorted(one.step for one in draft.checkpoints.values() if not one.converted))[:CONVERT_BATCH]


def to_evaluate(draft: Draft) -> tuple[int, ...]:
    """The next batch of converted checkpoints to evaluate, oldest first."""
    waiting = sorted(one.step for one in draft.checkpoints.values() if one.converted and one.scores is None)
    return tuple(waiting)[: evaluate_batch(draft.context)]


def evaluate_batch(context: Context) -> int:
    """How many checkpoints' scores fit into one termination message."""
    evaluate = context.run.spec.evaluate
    tasks = len(evaluate.asked()) if evaluate is not None else 1
    return max(1, min(8, math.floor(MAX_RESULT_BYTES * 0.7 / (BYTES_A_SCORE * tasks))))


def converted(draft: Draft, steps: Iterable[int]) -> None:
    """Record that these checkpoints have their Hugging Face folder."""
    for step in steps:
        known = draft.checkpoints.get(step, CheckpointStatus(step=step))
        draft.checkpoints[step] = known.model_copy(update={"converted": True})


def evaluated(draft: Draft, steps: Iterable[int], outputs: Sequence[Mapping[str, Any]]) -> None:
    """Record these checkpoints' scores; an empty table where the pod's last words had no room for them."""
    models = {name: model for output in outputs for name, model in (output.get("models") or {}).items()}
    for step in steps:
        known = draft.checkpoints.get(step, CheckpointStatus(step=step, converted=True))
        scores = (models.get(checkpoint_name(step)) or {}).get("scores") or {}
        draft.checkpoints[step] = known.model_copy(update={"scores": scores})


def forget_scores(draft: Draft) -> None:
    """Ask for every checkpoint's evaluation again: the questions have changed."""
    for step, known in draft.checkpoints.items():
        draft.checkpoints[step] = known.model_copy(update={"scores": None})
