"""The status in the making: the one mutable thing of a pass."""

import datetime
from collections.abc import Iterable
from typing import Any

from trainingrun.api.status import (
    MAX_ATTEMPTS,
    MAX_CHECKPOINTS,
    MAX_MESSAGE,
    Attempt,
    CheckpointStatus,
    GpuHours,
    StageStatus,
)
from trainingrun.plan.observed import Observed, PodView, WorkView
from trainingrun.stages.context import Context


def timestamp(now: float) -> str:
    """Seconds since the epoch as Kubernetes writes times: 2026-01-02T03:04:05Z."""
    return datetime.datetime.fromtimestamp(now, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def epoch(text: str | None) -> float:
    """Seconds since the epoch of such a time; 0.0 for None."""
    return datetime.datetime.fromisoformat(text).timestamp() if text else 0.0


class Draft:
    """A run's status while it is being decided, with what was seen and the time."""

    def __init__(self, context: Context, observed: Observed, now: float) -> None:
        """Start from the persisted status; stages that are new in the spec begin as Pending."""
        self.context, self.observed, self.now = context, observed, now
        status = context.run.status
        known = {stage.name: stage for stage in status.stages}
        self.stages: dict[str, StageStatus] = {
            one.name: known.get(one.name) or StageStatus(name=one.name, kind=one.kind) for one in context.instances
        }
        self.attempts: list[Attempt] = list(status.attempts)
        self.checkpoints: dict[int, CheckpointStatus] = {one.step: one for one in status.checkpoints}
        self.suspected_nodes: list[str] = list(status.suspected_nodes)
        self.avoided_nodes: list[str] = list(status.avoided_nodes)
        self.avoided_because: dict[str, str] = dict(status.avoided_because)
        self.gpu_hours: GpuHours = status.gpu_hours
        self.asked, self.answer = status.asked, status.answer
        self.wakeups: list[float] = []  # seconds until another look is due

    @property
    def generation(self) -> int:
        """Generation of the spec that is being decided on."""
        return self.context.run.metadata.generation

    @property
    def is_over(self) -> bool:
        """Whether the run had ended by the persisted status, and nobody has changed its spec since."""
        status = self.context.run.status
        return status.phase in ("Succeeded", "Failed") and status.observed_generation == self.generation

    def is_new(self, name: str) -> bool:
        """Whether the persisted status knows nothing of a stage."""
        return all(one.name != name for one in self.context.run.status.stages)

    def set(self, name: str, **fields: Any) -> None:
        """Change a stage; messages are cut to what the status has room for."""
        if fields.get("message"):
            fields["message"] = fields["message"][:MAX_MESSAGE]
        self.stages[name] = self.stages[name].model_copy(update=fields)

    def work(self, name: str) -> WorkView | None:
        """The object of a stage's newest attempt, unless it is being deleted."""
        attempt = self.stages[name].attempt
        found = (one for one in self.observed.work if one.stage == name and one.attempt == attempt)
        return next((one for one in found if not one.deleting), None)

    def pods(self, name: str) -> tuple[PodView, ...]:
        """The pods of a stage's newest attempt."""
        attempt = self.stages[name].attempt
        return tuple(pod for pod in self.observed.pods if pod.stage == name and pod.attempt == attempt)

    def leftovers(self, name: str) -> tuple[str, ...]:
        """Names of objects and pods of a stage's attempts so far that still hold something."""
        last = self.stages[name].attempt
        done = {one.name for one in self.observed.work if one.attempt == last and one.end == "Complete"}
        work = [one.name for one in self.observed.work if one.stage == name and one.name not in done]
        pods = [one.name for one in self.observed.pods if one.stage == name and one.phase in ("Pending", "Running")]
        return (*work, *pods)

    def begin_attempt(self, name: str) -> None:
        """Record that a stage's next attempt starts now."""
        stage = self.stages[name]
        safe = stage.progress.checkpoint if stage.progress is not None else None
        started = timestamp(self.now)
        self.attempts.append(Attempt(stage=name, number=stage.attempt + 1, started_at=started, from_step=safe))

    def end_attempt(self, name: str, **fields: Any) -> None:
        """Record how a stage's newest attempt ended; an attempt too old for the list is left alone."""
        number, progress = self.stages[name].attempt, self.stages[name].progress
        if progress is not None and progress.stragglers:
            self.set(name, progress=progress.model_copy(update={"stragglers": []}))
        for position, attempt in enumerate(self.attempts):
            if attempt.stage == name and attempt.number == number and attempt.ended_at is None:
                fields["message"] = (fields.get("message") or "")[:MAX_MESSAGE] or None
                self.attempts[position] = attempt.model_copy(update={"ended_at": timestamp(self.now), **fields})

    def bounded_attempts(self) -> list[Attempt]:
        """The newest attempts; those that go on are kept whatever their age."""
        over = [one for one in self.attempts if one.ended_at is not None]
        dropped = {id(one) for one in over[: max(len(self.attempts) - MAX_ATTEMPTS, 0)]}
        return [one for one in self.attempts if id(one) not in dropped][-MAX_ATTEMPTS:]

    def bounded_checkpoints(self) -> list[CheckpointStatus]:
        """All checkpoints, or the newest where there are too many and the older ones are dealt with."""
        return [self.checkpoints[step] for step in sorted(self.checkpoints)][-MAX_CHECKPOINTS:]

    def wake_in(self, seconds: Iterable[float]) -> None:
        """Ask for another look."""
        self.wakeups.extend(max(one, 0.0) for one in seconds)
