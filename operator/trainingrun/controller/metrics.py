"""What Prometheus can scrape from the operator."""

import contextlib
from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from trainingrun.api.status import GpuHours, StageStatus, TrainingRunStatus
from trainingrun.cluster.shelf import Key

PHASES: Final = ("Pending", "Waiting", "Running", "Suspended", "Succeeded", "Failed")
RUN: Final = ("namespace", "run")
STAGE: Final = (*RUN, "stage")
LOST: Final = (*RUN, "cause")
HOUR: Final = 3600.0  # seconds


class Metrics:
    """All metrics, in a registry of their own."""

    def __init__(self) -> None:
        """Declare every metric."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._runs = self._gauge("runs", "Runs by phase.", ("phase",))
        self._step = self._gauge("stage_step", "Units that a stage has done.", STAGE)
        self._total = self._gauge("stage_total", "Units of a stage in all.", STAGE)
        self._loss = self._gauge("stage_loss", "Newest training loss of a stage.", STAGE)
        self._speed = self._gauge("stage_tokens_per_second", "Tokens a second of a stage's whole gang.", STAGE)
        self._checkpoint = self._gauge("stage_checkpoint_step", "Step of the newest complete checkpoint.", STAGE)
        self._useful = self._gauge("useful_gpu_seconds", "GPU time of ended attempts whose work is safe.", RUN)
        self._lost = self._gauge("lost_gpu_seconds", "GPU time of ended attempts that was lost, by cause.", LOST)
        self._attempts = self._counter("attempts_ended", "Attempts that have ended, by cause.", ("cause",))
        self._writes = self._counter("api_writes", "Writes to the API server, without the Lease.", ("verb", "kind"))
        self._failed = self._counter("passes_failed", "Passes that are repeated.", ())
        self._reports = self._counter("reports", "Reports of pods, by what became of them.", ("result",))
        self._seconds = Histogram(
            "trainingrun_pass_seconds",
            "How long a pass takes.",
            registry=self.registry,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
        )
        self._phases: dict[Key, str] = {}
        self._stages: dict[Key, set[str]] = {}
        self._causes: dict[Key, set[str]] = {}
        for phase in PHASES:
            self._runs.labels(phase)

    def _gauge(self, name: str, text: str, labels: Iterable[str]) -> Gauge:
        return Gauge(f"trainingrun_{name}", text, tuple(labels), registry=self.registry)

    def _counter(self, name: str, text: str, labels: Iterable[str]) -> Counter:
        return Counter(f"trainingrun_{name}", text, tuple(labels), registry=self.registry)

    def follow(self, name: str, text: str, read: Callable[[], float]) -> None:
        """A gauge whose value is read when it is scraped."""
        self._gauge(name, text, ()).set_function(read)

    def on_write(self, verb: str, kind: str) -> None:
        """A call to the API server that may change something."""
        self._writes.labels(verb, kind).inc()

    def on_pass(self, seconds: float, failed: bool) -> None:
        """A pass that is over."""
        self._seconds.observe(seconds)
        if failed:
            self._failed.inc()

    def on_report(self, result: str) -> None:
        """A report that was taken or refused."""
        self._reports.labels(result).inc()

    def on_status(self, key: Key, before: TrainingRunStatus, after: TrainingRunStatus) -> None:
        """A run's status after a pass."""
        self._set_phase(key, after.phase)
        for stage in after.stages:
            self._on_stage(key, stage)
        self._on_gpu_hours(key, after.gpu_hours)
        ended = {(one.stage, one.number) for one in before.attempts if one.ended_at}
        for one in after.attempts:
            if one.ended_at and (one.stage, one.number) not in ended:
                self._attempts.labels(one.cause or "Unknown").inc()

    def forget(self, key: Key) -> None:
        """Drop the metrics of a run that is gone."""
        self._set_phase(key, None)
        for stage in self._stages.pop(key, set()):
            for gauge in (self._step, self._total, self._loss, self._speed, self._checkpoint):
                with contextlib.suppress(KeyError):  # never set: not every stage has a loss
                    gauge.remove(*key, stage)
        for cause in self._causes.pop(key, set()):
            self._lost.remove(*key, cause)
        with contextlib.suppress(KeyError):  # never set: no GPUs
            self._useful.remove(*key)

    def page(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self.registry)

    def _set_phase(self, key: Key, phase: str | None) -> None:
        before = self._phases.pop(key, None)
        if before is not None:
            self._runs.labels(before).dec()
        if phase is not None:
            self._phases[key] = phase
            self._runs.labels(phase).inc()

    def _on_gpu_hours(self, key: Key, hours: GpuHours) -> None:
        # Gauges, though they mostly rise: they come from the status, and going back to an earlier checkpoint makes
        # useful time lost.
        if hours.useful or hours.lost:
            self._useful.labels(*key).set(hours.useful * HOUR)
        for cause, lost in hours.lost.items():
            self._causes.setdefault(key, set()).add(cause)
            self._lost.labels(*key, cause).set(lost * HOUR)

    def _on_stage(self, key: Key, stage: StageStatus) -> None:
        progress = stage.progress
        if progress is None:
            return
        self._stages.setdefault(key, set()).add(stage.name)
        labels = (*key, stage.name)
        values: tuple[tuple[Gauge, float | None], ...] = (
            (self._step, progress.step),
            (self._total, progress.total),
            (self._loss, progress.loss),
            (self._speed, progress.tokens_per_second),
            (self._checkpoint, progress.checkpoint),
        )
        for gauge, value in values:
            if value is not None:
                gauge.labels(*labels).set(value)
