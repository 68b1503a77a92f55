"""What Prometheus can scrape from the operator."""

import asyncio
from collections import Counter as Count
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, ProcessCollector, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily
from prometheus_client.registry import Collector

from trainingrun import __version__
from trainingrun.api.status import TrainingRunStatus
from trainingrun.cluster.shelf import Key
from trainingrun.controller.run_series import RUN, RunSeries, Seen

PHASES: Final = ("Pending", "Waiting", "Running", "Suspended", "Succeeded", "Failed")
PASSES: Final = ("done", "repeated", "failed")
MESSAGES: Final = ("sent", "repeated", "given up")
PASS_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
CALL_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 20.0)


class EndedAttempts(Collector):
    """A counter of each run's attempts that have ended, by stage and cause, since this replica began to act."""

    def __init__(self) -> None:
        """Start with none."""
        self._ended: dict[Key, Count[tuple[str, str]]] = {}

    def note(self, key: Key, before: TrainingRunStatus, after: TrainingRunStatus) -> None:
        """Count the attempts that have ended between two statuses."""
        known = {(one.stage, one.number) for one in before.attempts if one.ended_at}
        for one in after.attempts:
            if one.ended_at and (one.stage, one.number) not in known:
                self._ended.setdefault(key, Count())[(one.stage, one.cause or "Unknown")] += 1

    def forget(self, key: Key) -> None:
        """Drop the counts of a run."""
        self._ended.pop(key, None)

    def collect(self) -> Iterator[Metric]:
        """The counter with all its samples."""
        labels = (*RUN, "stage", "cause")
        metric = CounterMetricFamily("trainingrun_attempts_ended", "Attempts that have ended, by cause.", labels=labels)
        for key, counts in list(self._ended.items()):
            for place, count in list(counts.items()):
                metric.add_metric((*key, *place), count)
        yield metric


class Metrics:
    """All metrics, in a registry of their own."""

    def __init__(self) -> None:
        """Declare every metric."""
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._of_runs, self._ended = RunSeries(), EndedAttempts()
        self.registry.register(self._of_runs)
        self.registry.register(self._ended)
        self._runs = self._gauge("runs", "Runs by phase.", ("phase",))
        self._gauge("build_info", "1, with the operator's version.", ("version",)).labels(__version__).set(1)
        self._writes = self._counter("api_writes", "Writes to the API server, without the Lease.", ("verb", "kind"))
        labels = ("verb", "resource", "code")
        self._calls = self._counter("api_requests", "Calls to the API server; code none where none came.", labels)
        self._call_seconds = self._histogram("api_request_seconds", "Time of calls.", CALL_BUCKETS, ("verb",))
        self._passes = self._counter("passes", "Passes over runs, by what became of them.", ("outcome",))
        self._pass_seconds = self._histogram("pass_seconds", "How long a pass takes.", PASS_BUCKETS, ())
        self._reports = self._counter("reports", "Reports of pods, by what became of them.", ("result",))
        self._sent = self._counter("notifications", "Tries to send a message, by what became of it.", ("outcome",))
        self._followed: list[tuple[Gauge, Callable[[], float]]] = []
        self._phases: dict[Key, str] = {}
        for phase in PHASES:
            self._runs.labels(phase)
        for counter, outcomes in ((self._passes, PASSES), (self._sent, MESSAGES)):
            for outcome in outcomes:  # at nought before it happens, or its first time would be no increase
                counter.labels(outcome)

    def _gauge(self, name: str, text: str, labels: Iterable[str]) -> Gauge:
        return Gauge(f"trainingrun_{name}", text, tuple(labels), registry=self.registry)

    def _counter(self, name: str, text: str, labels: Iterable[str]) -> Counter:
        return Counter(f"trainingrun_{name}", text, tuple(labels), registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], labels: Iterable[str]) -> Histogram:
        return Histogram(f"trainingrun_{name}", text, tuple(labels), buckets=buckets, registry=self.registry)

    def follow(self, name: str, text: str, read: Callable[[], float]) -> None:
        """A gauge whose value is read by `read_followed`."""
        self._followed.append((self._gauge(name, text, ()), read))

    def read_followed(self) -> None:
        """Read what is followed: in the event loop, whose queues change meanwhile in any other thread."""
        for gauge, read in self._followed:
            gauge.set(read())

    def on_write(self, verb: str, kind: str) -> None:
        """A call to the API server that may change something."""
        self._writes.labels(verb, kind).inc()

    def on_call(self, verb: str, resource: str, code: str, seconds: float) -> None:
        """A call to the API server, the Lease's too."""
        self._calls.labels(verb, resource, code).inc()
        self._call_seconds.labels(verb).observe(seconds)

    def on_pass(self, seconds: float, outcome: str) -> None:
        """A pass that is over: done, repeated or failed."""
        self._pass_seconds.observe(seconds)
        self._passes.labels(outcome).inc()

    def on_report(self, result: str) -> None:
        """A report that was taken or refused."""
        self._reports.labels(result).inc()

    def on_notification(self, outcome: str) -> None:
        """A try to send a message to people: sent, repeated or given up."""
        self._sent.labels(outcome).inc()

    def on_status(self, key: Key, before: TrainingRunStatus, seen: Seen) -> None:
        """What is known of a run after a pass, and its status before."""
        self._set_phase(key, seen.status.phase)
        self._of_runs.put(key, seen)
        self._ended.note(key, before, seen.status)

    def forget(self, key: Key) -> None:
        """Drop the metrics of a run that is gone."""
        self._set_phase(key, None)
        self._of_runs.forget(key)
        self._ended.forget(key)

    async def page_beside(self) -> bytes:
        """All of it in Prometheus' text format, made beside the event loop: of a thousand runs it takes a second."""
        self.read_followed()
        return await asyncio.to_thread(self.page)

    def page(self) -> bytes:
        """The same, made here and now, with what was followed as it was last read."""
        return generate_latest(self.registry)

    def _set_phase(self, key: Key, phase: str | None) -> None:
        before = self._phases.pop(key, None)
        if before is not None:
            self._runs.labels(before).dec()
        if phase is not None:
            self._phases[key] = phase
            self._runs.labels(phase).inc()
