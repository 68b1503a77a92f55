"""How far a run is, stage by stage; pure."""

from __future__ import annotations

from dataclasses import dataclass

from trainingrun.api.progress import Progress
from trainingrun.api.status import StageStatus
from trainingrun.api.training_run import TrainingRun


@dataclass(frozen=True)
class StageProgress:
    """How far one stage is."""

    stage: str
    phase: str
    attempt: int
    step: int
    total: int
    unit: str
    fraction: float | None  # of 1; None where nobody knows
    loss: float | None
    tokens: int | None
    tokens_per_second: float | None
    eta_seconds: int | None
    message: str

    def __str__(self) -> str:
        """The stage in a line."""
        done = f" {self.step}/{self.total} {self.unit}" if self.total and self.phase != "Succeeded" else ""
        loss = f", loss {self.loss:.3f}" if self.loss is not None else ""
        return f"{self.stage}: {self.phase}{done}{loss}"


def progress(run: TrainingRun) -> list[StageProgress]:
    """All stages of a run in their order; none before the operator has seen it."""
    return [_of(stage) for stage in run.status.stages]


def told(run: TrainingRun) -> str:
    """The whole run in a line."""
    stage = next((one for one in progress(run) if one.stage == run.status.stage), None)
    return f"{run.status.phase}, {stage}" if stage is not None else run.status.phase


def _of(stage: StageStatus) -> StageProgress:
    known = stage.progress or Progress(unit="")
    return StageProgress(
        stage=stage.name,
        phase=stage.phase,
        attempt=stage.attempt,
        step=known.step,
        total=known.total,
        unit=known.unit,
        fraction=_fraction(stage),
        loss=known.loss,
        tokens=known.tokens,
        tokens_per_second=known.tokens_per_second,
        eta_seconds=known.eta_seconds,
        message=stage.message or "",
    )


def _fraction(stage: StageStatus) -> float | None:
    if stage.phase == "Succeeded":
        return 1.0
    if stage.progress is None or stage.progress.total <= 0:
        return None
    return min(max(stage.progress.step / stage.progress.total, 0.0), 1.0)
