"""The status stays small: what says least is shortened first, and only where there is too much of it."""

from collections.abc import Callable
from typing import Any, Final

from trainingrun.api.progress import Progress
from trainingrun.api.status import CheckpointStatus, TrainingRunStatus
from trainingrun.plan import retained

MAX_BYTES: Final = 60_000  # of the 64 KiB, so that names and times that grow by some digits still fit
SHORT: Final = 256  # characters of a message that was shortened
FEW: Final = 8  # entries of an output, or points of a curve, that was shortened
MEAN: Final = "mean"  # the only score that is left of a checkpoint's many; more is better

Change = dict[str, Any]


def fitted(status: TrainingRunStatus) -> TrainingRunStatus:
    """The status in at most `MAX_BYTES` bytes of JSON; the same object where it fits as it is."""
    if any(_has_mean_only(one) for one in status.checkpoints):
        # Once one is shortened all are, so that their scores can be compared.
        status = status.model_copy(update=_means(status))
    for shorter in REDUCTIONS:
        if size(status) <= MAX_BYTES:
            break
        status = status.model_copy(update=shorter(status))
    return status


def size(status: TrainingRunStatus) -> int:
    """Bytes of the status as JSON in UTF-8."""
    return len(status.model_dump_json(by_alias=True, exclude_none=True).encode())


def _has_mean_only(one: CheckpointStatus) -> bool:
    return one.scores is not None and list(one.scores) == [MEAN]


def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= SHORT else f"{text[: SHORT - 1]}…"


def _attempts(status: TrainingRunStatus) -> Change:
    # The worst node of several stays, as its `node`.
    return {"attempts": [one.model_copy(update={"message": _cut(one.message), "nodes": []}) for one in status.attempts]}


def _avoided(status: TrainingRunStatus) -> Change:
    return {"avoided_because": {node: why[:SHORT] for node, why in status.avoided_because.items()}}


def _losses(status: TrainingRunStatus) -> Change:
    return {"stages": [one.model_copy(update={"losses": one.losses[-FEW:]}) for one in status.stages]}


def _means(status: TrainingRunStatus) -> Change:
    return {"checkpoints": [_mean(one) for one in status.checkpoints]}


def _mean(one: CheckpointStatus) -> CheckpointStatus:
    if not one.scores:
        return one
    return one.model_copy(update={"scores": {MEAN: round(retained.mean(one.scores), 6)}})


def _outputs(status: TrainingRunStatus) -> Change:
    def short(output: dict[str, str]) -> dict[str, str]:
        return {key[:64]: value[:64] for key, value in list(output.items())[:FEW]}

    return {"stages": [one.model_copy(update={"output": short(one.output)}) for one in status.stages]}


def _counts(status: TrainingRunStatus) -> Change:
    def short(progress: Progress | None) -> Progress | None:
        return progress and progress.model_copy(update={"counts": dict(list(progress.counts.items())[:FEW])})

    return {"stages": [one.model_copy(update={"progress": short(one.progress)}) for one in status.stages]}


def _stages(status: TrainingRunStatus) -> Change:
    return {"stages": [one.model_copy(update={"message": _cut(one.message)}) for one in status.stages]}


def _conditions(status: TrainingRunStatus) -> Change:
    conditions = [one.model_copy(update={"message": _cut(one.message)}) for one in status.conditions]
    return {"conditions": conditions, "warnings": [_cut(one) for one in status.warnings]}


# What lies on the volume as well first, what only the status says last.
REDUCTIONS: Final[tuple[Callable[[TrainingRunStatus], Change], ...]] = (
    _losses,
    _attempts,
    _avoided,
    _means,
    _counts,
    _outputs,
    _stages,
    _conditions,
)
