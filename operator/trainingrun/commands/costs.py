"""What an action on a run will cost, in sentences: pure, out of the run as the API server has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from trainingrun.api.status import StageStatus, TrainingRunStatus
from trainingrun.api.training_run import TrainingRun, TrainingRunSpec
from trainingrun.commands.view.run import status_of
from trainingrun.commands.view.words import count, hours, lasted
from trainingrun.stages.instances import GANG_KINDS, instances

HOUR: Final = 3600.0  # seconds

Raw = Mapping[str, Any]


@dataclass(frozen=True)
class Costs:
    """A run as far as its costs need it."""

    status: TrainingRunStatus
    gpus: Mapping[str, int]  # by the name of each stage that trains; empty where the spec can't be understood

    def suspending(self) -> Iterator[str]:
        """What stopping all that runs costs."""
        running = [one for one in self.status.stages if one.phase == "Running"]
        for stage in running:
            if stage.kind in GANG_KINDS:
                yield self._stopped(stage)
            else:
                yield f"Stage {stage.name} stops; what it has finished stays."
        if not running:
            yield "Nothing of it runs at the moment."

    def _stopped(self, stage: StageStatus) -> str:
        progress = stage.progress
        frees = f" and frees {count(self.gpus[stage.name], 'GPU')}" if self.gpus.get(stage.name) else ""
        if progress is None or not progress.total:
            return f"Stage {stage.name} has not reported a step yet: it ends{frees}."
        since = progress.step - (progress.checkpoint or 0)
        said = f"Stage {stage.name} saves at step {progress.step:,} of {progress.total:,}{frees}; no step is lost."
        if since <= 0:
            return said
        return f"{said} Should saving fail, {count(since, 'step')} are lost{self._worth(stage, since)}."

    def resuming(self) -> Iterator[str]:
        """What going on takes."""
        for stage in self.status.stages:
            if stage.phase == "Suspended":
                yield self._again(stage)

    def retrying(self, name: str) -> Iterator[str]:
        """What another try of a stage that is there takes."""
        stage = next(one for one in self.status.stages if one.name == name)
        if stage.phase == "Failed":
            yield f"Stage {name} failed by {stage.reason}: {stage.message}"
            yield f"{self._again(stage)} Its budgets for failures begin anew."
        elif stage.not_before is not None:
            yield f"Stage {name} backs off until {stage.not_before}: {stage.message}"
            yield self._again(stage)

    def going_back(self, step: int, left_out: int) -> Iterator[str]:
        """What training again from a step costs."""
        stage = next(one for one in self.status.stages if one.kind == "pretrain")
        reached = stage.progress.step if stage.progress is not None else 0
        again = max(reached - step, 0)
        yield (
            f"Stage {stage.name} is at step {reached:,}: {count(again, 'step')} are done again"
            f"{self._worth(stage, again)}, and checkpoints after step {step:,} are set aside."
        )
        if left_out:
            yield f"The data of the {count(left_out, 'step')} that followed step {step:,} are left out for good."

    def _again(self, stage: StageStatus) -> str:
        progress = stage.progress
        there = progress is not None and progress.checkpoint is not None and stage.kind in GANG_KINDS
        where = f"from checkpoint {progress.checkpoint:,} of {progress.total:,}" if there and progress else "again"
        takes = f" and takes {count(self.gpus[stage.name], 'GPU')}" if self.gpus.get(stage.name) else ""
        return f"Stage {stage.name} goes on {where}{takes}."

    def _worth(self, stage: StageStatus, steps: int) -> str:
        """So many steps as time and GPU-hours, by what is left; nothing where the worker has not said."""
        progress = stage.progress
        left = 0 if progress is None else progress.total - progress.step
        if not steps or progress is None or progress.eta_seconds is None or left <= 0:
            return ""
        seconds = progress.eta_seconds / left * steps
        spent = f", {hours(seconds * self.gpus[stage.name] / HOUR)} GPU-hours" if self.gpus.get(stage.name) else ""
        return f" (about {lasted(seconds)}{spent})"


def costs_of(run: Raw) -> Costs:
    """The costs of a run; without GPUs where its spec is of another version."""
    status = status_of(run)
    try:
        spec = TrainingRun.from_object(run).spec
    except ValidationError:
        return Costs(status, {})
    return Costs(status, dict(_gpus(spec)))


def _gpus(spec: TrainingRunSpec) -> Iterator[tuple[str, int]]:
    chains = {one.name: one.stages for one in spec.variants}
    for instance in instances(spec):
        if instance.kind == "pretrain":
            yield instance.name, spec.pretrain.nodes * spec.pretrain.gpus_per_node
        elif instance.is_gang and instance.variant is not None and instance.position is not None:
            gang = chains[instance.variant][instance.position].tuning
            yield instance.name, gang.nodes * gang.gpus_per_node
