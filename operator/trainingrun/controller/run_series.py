"""What Prometheus is shown of each run: one table of metrics, each read off the run's status and its pods' reports.

The figures of a run are put down by each pass over it and handed out at a scrape, so that what a run does not say any
more is gone with the next scrape, and all of a run that is deleted.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client import Metric
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from trainingrun.api.progress import Progress
from trainingrun.api.status import StageStatus, TrainingRunStatus
from trainingrun.cluster.shelf import Key
from trainingrun.plan.draft import epoch
from trainingrun.plan.silence import last_progress
from trainingrun_workers.contract import Snapshot

HOUR: Final = 3600.0  # seconds
TERA: Final = 1e12
RUN: Final = ("namespace", "run")
BAD_LOSS: Final = ("NonFiniteLoss", "LossSpike")  # reasons of a stage that failed by its loss

Sample = tuple[tuple[str, ...], float]  # values of the labels after namespace and run; the value


@dataclass(frozen=True)
class Seen:
    """What a pass knows of a run."""

    status: TrainingRunStatus
    created_at: str = ""
    snapshots: tuple[Snapshot, ...] = ()  # newest of each stage and pod

    def newest(self, stage: StageStatus) -> Snapshot | None:
        """The newest report of a stage that runs."""
        mine = [one for one in self.snapshots if (one.stage, one.attempt) == (stage.name, stage.attempt)]
        return max(mine, key=lambda one: (one.step, one.time)) if mine and stage.phase == "Running" else None


@dataclass(frozen=True)
class Family:
    """One metric: a gauge, since each follows from the status, which another replica may have written."""

    name: str  # after trainingrun_
    text: str
    labels: tuple[str, ...]  # after namespace and run
    of: Callable[[Seen], Iterable[Sample]]


def _of_stages(read: Callable[[StageStatus], float | None]) -> Callable[[Seen], Iterator[Sample]]:
    """A figure of each stage that has it."""

    def of(seen: Seen) -> Iterator[Sample]:
        for stage in seen.status.stages:
            value = read(stage)
            if value is not None:
                yield (stage.name,), float(value)

    return of


def _of_progress(read: Callable[[Progress], float | None], running: bool = False) -> Callable[[Seen], Iterator[Sample]]:
    """A figure of each stage's progress; `running` where it means nothing of one that does not run."""

    def of(stage: StageStatus) -> float | None:
        if stage.progress is None or (running and stage.phase != "Running"):
            return None
        return read(stage.progress)

    return _of_stages(of)


def _flops(progress: Progress) -> float | None:
    told = progress.measured.teraflops_per_rank if progress.measured is not None else None
    return None if told is None else TERA * told


def _of_measured(labels: Mapping[str, str]) -> Callable[[Seen], Iterator[Sample]]:
    """Figures that the gang of a running stage measures of itself: by the value of the last label, the field's name.

    With no label's value but "" the stage alone tells them apart.
    """

    def of(seen: Seen) -> Iterator[Sample]:
        for stage in seen.status.stages:
            found = stage.progress.measured if stage.progress is not None and stage.phase == "Running" else None
            for label, field in labels.items():
                value = getattr(found, field, None)
                if value is not None:
                    yield (stage.name, *filter(None, (label,))), float(value)

    return of


def _of_reports(read: Callable[[Snapshot], float | None]) -> Callable[[Seen], Iterator[Sample]]:
    """A figure of each running stage's newest report."""

    def of(seen: Seen) -> Iterator[Sample]:
        for stage in seen.status.stages:
            newest = seen.newest(stage)
            value = read(newest) if newest is not None else None
            if value is not None:
                yield (stage.name,), float(value)

    return of


def _started(read: Callable[[StageStatus], float]) -> Callable[[Seen], Iterator[Sample]]:
    """A figure of each stage that has had an attempt."""
    return _of_stages(lambda stage: read(stage) if stage.attempt else None)


def _time(text: str | None) -> float | None:
    return epoch(text) if text else None


def _stalled(seen: Seen) -> Iterator[Sample]:
    for one in seen.status.conditions:
        if one.type == "Stalled" and one.status == "True":
            yield (one.reason,), 1.0


def _last_progress(seen: Seen) -> Iterator[Sample]:
    since = last_progress(seen.status, seen.created_at)
    if since is not None:
        yield (), since


def _useful(seen: Seen) -> Iterator[Sample]:
    if seen.status.gpu_hours.useful or seen.status.gpu_hours.lost:
        yield (), seen.status.gpu_hours.useful * HOUR


def _volume(read: Callable[[Snapshot], int | None]) -> Callable[[Seen], Iterator[Sample]]:
    """What the newest report of any stage that runs says of the volume."""

    def of(seen: Seen) -> Iterator[Sample]:
        reports = [one for one in map(seen.newest, seen.status.stages) if one is not None and read(one) is not None]
        if reports:
            yield (), float(read(max(reports, key=lambda one: one.time)) or 0)

    return of


def _bad_losses(stage: StageStatus) -> float:
    failed = stage.phase == "Failed" and stage.reason in BAD_LOSS
    return sum(one.times for one in stage.skips) + float(failed)


def _scores(seen: Seen) -> Iterator[Sample]:
    newest = next((one for one in reversed(seen.status.checkpoints) if one.scores), None)
    for task, score in ((newest.scores or {}) if newest is not None else {}).items():
        yield (task,), score


STAGE: Final = ("stage",)
FAMILIES: Final = (
    Family("run_phase", "1 for the phase that a run is in.", ("phase",), lambda seen: [((seen.status.phase,), 1.0)]),
    Family("run_stalled", "1 while a run waits for a person, by the reason.", ("reason",), _stalled),
    Family("run_last_progress_timestamp_seconds", "When a run that is meant to get on last did.", (), _last_progress),
    Family("useful_gpu_seconds", "GPU time of ended attempts whose work is safe.", (), _useful),
    Family("lost_gpu_seconds", "GPU time of ended attempts that was lost, by cause.", ("cause",),
           lambda seen: [((cause,), hours * HOUR) for cause, hours in seen.status.gpu_hours.lost.items()]),
    Family("checkpoint_score", "Main score of each task, of the newest evaluated checkpoint.", ("task",), _scores),
    Family("volume_free_bytes", "Room on a run's volume, by its pods.", (), _volume(lambda one: one.volume_free)),
    Family("volume_size_bytes", "Size of a run's volume, by its pods.", (), _volume(lambda one: one.volume_size)),
    Family("stage_phase", "1 for the phase that a stage is in.", ("stage", "phase"),
           lambda seen: [((stage.name, stage.phase), 1.0) for stage in seen.status.stages]),
    Family("stage_attempt", "Number of a stage's newest attempt.", STAGE, _started(lambda stage: stage.attempt)),
    Family("stage_restarts", "Restarts of a stage after failures.", STAGE, _started(lambda stage: stage.restarts)),
    Family("stage_preemptions", "Restarts of a stage after preemptions and the like.", STAGE,
           _started(lambda stage: stage.preemptions)),
    Family("stage_failures_in_a_row", "Failures of a stage without progress between them.", STAGE,
           _started(lambda stage: stage.stalled)),
    Family("stage_bad_losses", "Losses of a stage that were no number, or too high.", STAGE, _started(_bad_losses)),
    Family("stage_step", "Units that a stage has done.", STAGE, _of_progress(lambda one: one.step)),
    Family("stage_planned_steps", "Units of a stage in all.", STAGE, _of_progress(lambda one: one.total)),
    Family("stage_tokens", "Tokens that a stage has done.", STAGE, _of_progress(lambda one: one.tokens)),
    Family("stage_tokens_per_second", "Tokens a second of a running stage's whole gang.", STAGE,
           _of_progress(lambda one: one.tokens_per_second, running=True)),
    Family("stage_rank_tokens_per_second", "Tokens a second of each rank of a running stage.", STAGE,
           _of_measured({"": "tokens_per_second_per_rank"})),
    Family("stage_rank_flops_per_second", "FLOP/s of the model on each rank of a running stage, with full attention.",
           STAGE, _of_progress(_flops, running=True)),
    Family("stage_mfu_ratio", "Model FLOP/s by the GPUs' peak, with full or causal attention.", (*STAGE, "attention"),
           _of_measured({"full": "mfu", "causal": "mfu_causal"})),
    Family("stage_peak_memory_bytes", "Memory of the rank with the most: of its GPU, or of its process.",
           (*STAGE, "kind"),
           _of_measured({kind: f"memory_{kind}" for kind in ("allocated", "reserved", "resident")})),
    Family("stage_data_wait_ratio", "Share of a step in which ranks wait for data.", STAGE,
           _of_measured({"": "data_wait"})),
    Family("stage_communication_wait_ratio", "Share of a step in which ranks wait for other ranks.", STAGE,
           _of_measured({"": "communication_wait"})),
    Family("stage_step_spread_ratio", "Own work of the slowest rank by the median rank's.", STAGE,
           _of_measured({"": "step_spread"})),
    Family("stage_eta_seconds", "Time until a running stage is done, as its pods reckon.", STAGE,
           _of_progress(lambda one: one.eta_seconds, running=True)),
    Family("stage_loss", "Newest training loss of a stage.", STAGE, _of_progress(lambda one: one.loss)),
    Family("stage_learning_rate", "Learning rate of a running stage.", STAGE,
           _of_reports(lambda one: one.learning_rate)),
    Family("stage_gradient_norm", "Norm of a running stage's gradients.", STAGE,
           _of_reports(lambda one: one.gradient_norm)),
    Family("stage_checkpoint_step", "Step of a stage's newest complete checkpoint.", STAGE,
           _of_progress(lambda one: one.checkpoint)),
    Family("stage_checkpoint_timestamp_seconds", "When a stage's newest complete checkpoint was first told of.", STAGE,
           _of_progress(lambda one: _time(one.checkpoint_at))),
    Family("stage_last_progress_timestamp_seconds", "When a stage's step changed last.", STAGE,
           _of_progress(lambda one: _time(one.advanced_at))),
)  # fmt: skip


class RunSeries(Collector):
    """The series of all runs that this replica acts for."""

    def __init__(self) -> None:
        """Start with no run."""
        self._samples: dict[Key, tuple[tuple[Sample, ...], ...]] = {}  # of each run, in the order of the table

    def put(self, key: Key, seen: Seen) -> None:
        """Replace what is shown of a run."""
        self._samples[key] = tuple(tuple(family.of(seen)) for family in FAMILIES)

    def forget(self, key: Key) -> None:
        """Show nothing of a run any more."""
        self._samples.pop(key, None)

    def describe(self) -> list[Metric]:
        """The metrics without their samples, for the registry."""
        return [_metric(family) for family in FAMILIES]

    def collect(self) -> Iterator[Metric]:
        """The metrics; passes may go on meanwhile, in another thread."""
        runs = list(self._samples.items())
        for position, family in enumerate(FAMILIES):
            metric = _metric(family)
            for key, samples in runs:
                for labels, value in samples[position]:
                    metric.add_metric((*key, *labels), value)
            yield metric


def _metric(family: Family) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"trainingrun_{family.name}", family.text, labels=(*RUN, *family.labels))
