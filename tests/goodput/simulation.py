"""A month of training with failures: how much of it is useful, with checkpoints of a given interval."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from goodput.cluster import Cluster
from goodput.parameters import DAY, Parameters
from trainingrun.api.base import seconds
from trainingrun.stages.context import Context
from trainingrun_workers.contract import Result


@dataclass(frozen=True)
class Outcome:
    """Seconds of a simulated month, by what they were spent on, and what the run's own status says."""

    total: float
    useful: float
    saving: float
    repeated: float  # training that had to be done again
    failures: int
    attempts: int
    counted: float  # the share of its GPU-hours that the status calls useful

    @property
    def share(self) -> float:
        """The useful part of all time."""
        return self.useful / self.total

    @property
    def waiting(self) -> float:
        """Seconds without training: noticing, restarting, loading."""
        return self.total - self.useful - self.saving - self.repeated


class Simulation:
    """A run's gang on a cluster on which failures happen at random, the same for each interval of a seed."""

    def __init__(self, parameters: Parameters, between_failures: float, save: float, interval: float, seed: int):
        """Mean seconds between failures of the gang, seconds of a save, and seconds of training between two saves."""
        self.parameters, self.save = parameters, save
        self.steps = max(round(interval / parameters.step_seconds), 1)  # between two saves
        self.between, self.random = between_failures, random.Random(seed)
        self.cluster = Cluster(parameters)
        self.cluster.when_all_run = self._load
        self.safe, self.since, self.training = 0, 0.0, False  # newest safe step; when training went on from it
        self.gang = 0  # number of the gang, so that nothing of an earlier one happens to a later one
        self.saving = self.repeated = 0.0
        self.failures = 0

    def play(self) -> Outcome:
        """Play the whole time through."""
        cluster, start = self.cluster, self.cluster.now
        cluster.settle().completes("tokenize").settle()
        end = start + self.parameters.days * DAY
        self._plan_failure()
        cluster.play(end)
        unsaved = self._trained() if self.training else 0.0
        useful = self.safe * self.parameters.step_seconds + unsaved
        attempts = cluster.stage("pretrain").attempt
        self.safe += int(unsaved / self.parameters.step_seconds)
        self._end(143, "Preempted")
        cluster.settle()
        hours = cluster.run.status.gpu_hours
        counted = hours.useful / (hours.useful + sum(hours.lost.values()))
        return Outcome(end - start, useful, self.saving, self.repeated, self.failures, attempts, counted)

    def _load(self) -> None:
        """All pods run: after a while the gang trains."""
        self.gang += 1
        self._later(self.parameters.first_step_seconds, self._train)

    def _train(self) -> None:
        self.training, self.since = True, self.cluster.now
        self._report(self.safe)
        # What the gang reports is read when the operator next looks.
        self._later(self.steps * self.parameters.step_seconds, self._begin_save, rings=False)

    def _begin_save(self) -> None:
        self._report(self.safe + self.steps)
        self._later(self.save, self._end_save, rings=False)

    def _end_save(self) -> None:
        self.safe += self.steps
        self.saving += self.save
        self._train()

    def _report(self, step: int) -> None:
        """What the gang tells of itself; the operator reads it when it next looks."""
        context = Context(self.cluster.run, self.cluster.settings)
        speed = context.translated.pretrain.tokens_per_step / self.parameters.step_seconds
        total = context.translated.pretrain.total_steps
        told = {"step": step, "total": total, "tokens_per_second": speed}
        self.cluster.reports("pretrain", checkpoint=self.safe or None, checkpoints=(self.safe,), **told)

    def _trained(self) -> float:
        """Seconds of training that are not safe yet."""
        return min(self.cluster.now - self.since, self.steps * self.parameters.step_seconds)

    def _later(self, after: float, happens: Callable[[], None], rings: bool = True) -> None:
        gang = self.gang
        self.cluster.at(self.cluster.now + after, lambda: happens() if gang == self.gang else None, rings)

    def _plan_failure(self) -> None:
        gap = self.random.expovariate(1.0 / self.between)
        kinds = self.parameters.failures
        kind = self.random.choices(list(kinds), list(kinds.values()))[0]
        rank = self.random.randrange(self.parameters.nodes)
        self.cluster.at(self.cluster.now + gap, lambda: self._fail(kind, rank))

    def _fail(self, kind: str, rank: int) -> None:
        """Something dies; where no gang runs, it hits nobody."""
        self._plan_failure()
        name = self.cluster.attempt("pretrain")
        running = [pod for one, pod in self.cluster.pods.items() if one.startswith(f"{name}-") and pod.started]
        if self.cluster.stage("pretrain").phase != "Running" or not running:
            return
        self.failures += 1
        if self.training:
            lost = self._trained()
            self.repeated += lost
            self._report(self.safe + int(lost / self.parameters.step_seconds))
        self.training, self.gang = False, self.gang + 1
        getattr(self, f"_{kind}")(rank)

    def _killed(self, rank: int) -> None:
        self._end(137, "Killed", rank)

    def _nodeLost(self, rank: int) -> None:  # noqa: N802 - named as in the parameters
        self._later(self.parameters.lost_node_seconds, lambda: self.cluster.lose_machine(rank))

    def _hang(self, rank: int) -> None:
        timeout = seconds(self.cluster.run.spec.pretrain.recovery.hang_timeout)
        self._later(timeout, lambda: self._end(75, "Hung", rank))

    def _end(self, code: int, reason: str, rank: int = 0) -> None:
        """A pod of the gang ends."""
        words = Result(code, reason, f"The pod ended: {reason}.", step=self.safe)
        self.cluster.fails("pretrain", code, words if code != 137 else None, index=rank)
