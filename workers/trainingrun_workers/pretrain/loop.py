"""The training loop: steps, agreement at each step's edge, the curve, checkpoints, the end."""

import contextlib
import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

from trainingrun_workers.contract import PretrainSpec
from trainingrun_workers.errors import BadData, Preempted, Retry
from trainingrun_workers.launched import Activity, LaunchedRank
from trainingrun_workers.pretrain.agreement import Agreement
from trainingrun_workers.pretrain.curve import Curve
from trainingrun_workers.pretrain.loss_watch import LossWatch
from trainingrun_workers.pretrain.measuring import Meter
from trainingrun_workers.pretrain.profiling import Profiling
from trainingrun_workers.pretrain.save_rhythm import SaveRhythm
from trainingrun_workers.pretrain.saving import Saving, Writer
from trainingrun_workers.pretrain.stragglers import Stragglers

LOGGER = logging.getLogger(__name__)
SMOOTHING: Final = 0.2  # of the newest interval in the speed that is shown


class Trainer(Writer, Protocol):
    """What of a trainer the loop uses."""

    iteration_step: int
    model: Any  # the module that is called, as it is wrapped

    @property
    def learning_rate(self) -> float:
        """The rate that the next step uses."""

    def advance(self, micro_batches: Iterator[dict[str, Any]]) -> tuple[Any, Any]:
        """Do a step; yields loss and gradient norm."""


@dataclass
class Loop:
    """Trains from the trainer's step to the last; `curve` is None on all ranks but 0."""

    spec: PretrainSpec
    rank: LaunchedRank
    agreement: Agreement
    saving: Saving
    trainer: Trainer
    micro_batches: Callable[[int], Iterator[dict[str, Any]]]
    marker: Callable[[int], dict[str, Any]]
    curve: Curve | None
    log_every: int
    meter: Meter
    stragglers: Stragglers
    profiling: Profiling
    notes: tuple[str, ...] = ()  # warnings from before training
    speed: float = 0.0  # tokens a second
    _watch: LossWatch | None = None  # on rank 0, where the run has a limit
    _rhythm: SaveRhythm | None = None  # where the interval is found out
    _stretch: tuple[float, int] = (0.0, 0)  # when training went on after the last save, and at which step
    _logged: float = 0.0  # when the last line of the curve was made, and for which step
    _logged_step: int = 0
    _unsound: Any = None  # a tensor: whether any loss or gradient was no finite number

    def run(self) -> None:
        """Train to the end. BadData when the loss is bad, Preempted once a stop has been saved."""
        step = self.trainer.iteration_step
        if self.curve and self.spec.loss_spike:
            self._watch = LossWatch(self.spec.loss_spike, self.curve.losses)
        if self.spec.auto_interval:
            self._rhythm = SaveRhythm(self.spec.checkpoint_every, step, self.spec.seconds_between_failures)
        if not self.saving.complete:
            self._save()
        self.rank.report(total=self.spec.total_steps, activity="training", **self.saving.told())
        self._start_interval()
        try:
            while self.trainer.iteration_step < self.spec.total_steps:
                self._step()
        except BadData:
            self._finish_saving()
            raise
        self.profiling.close()

    def _step(self) -> None:
        rate = self.trainer.learning_rate
        loss, norm = self.trainer.advance(self.meter.batches(self.micro_batches, self.trainer.iteration_step + 1))
        step = self.trainer.iteration_step
        self.rank.beat(step, Activity.TRAINING)
        self._note(loss, norm)
        self.meter.stepped()
        stop, writing, profiled = self.agreement.any(
            self.rank.stop_requested, self.saving.unfinished(), self.profiling.wanted()
        )
        if self.saving.in_flight and not writing:
            self.saving.settle()
            self.rank.report(now=True, **self.saving.told())
        saves, logs = stop or self._saves(step), self._logs(step)
        if saves or logs:
            value = self._everywhere(loss)
            self._check(step, value)
        if logs:
            self._log(step, value, rate, None if norm is None else float(norm))
        if profiled:
            self.profiling.begin()
            self._start_interval()
        elif self.profiling.stepped(step):
            self._start_interval()
        if saves:
            # Who stops the gang may want to go on from an earlier checkpoint: the next attempt's first save prunes.
            self._save(prune=not stop)
        if stop and step < self.spec.total_steps:
            raise Preempted(f"The pod was told to stop and saved step {step}; training goes on from there.", step)

    def _check(self, step: int, loss: float) -> None:
        """BadData on all ranks where the loss is no number or, as rank 0 knows, too far above those before."""
        spike = self._watch is not None and self._watch.is_spike(loss)
        unsound, spike = self.agreement.any(self._is_unsound(), spike)
        if unsound:
            raise _unsound(step)
        if spike:
            raise _spike(step, loss, self.spec.loss_spike)

    def _note(self, *values: Any) -> None:
        # Without asking the device for a value, which would make it wait.
        for value in values:
            if value is not None:
                bad = ~value.detach().isfinite()
                self._unsound = bad if self._unsound is None else self._unsound | bad

    def _is_unsound(self) -> bool:
        return self._unsound is not None and bool(self._unsound)

    def _everywhere(self, loss: Any) -> float:
        # In a pipeline only the last ranks have it.
        if self.spec.config["parallelism"]["pp"] == 1:
            return float(loss)
        losses = self.agreement.of_all(None if loss is None else float(loss))
        return next(float(one) for one in losses if one is not None)

    def _saves(self, step: int) -> bool:
        if step == self.spec.total_steps or (self.spec.evaluate_every and step % self.spec.evaluate_every == 0):
            return True
        return step == self._rhythm.next_step if self._rhythm else step % self.spec.checkpoint_every == 0

    def _logs(self, step: int) -> bool:
        return step in (1, self.spec.total_steps) or step % self.log_every == 0

    def _log(self, step: int, loss: float, rate: float, norm: float | None) -> None:
        first, times = self._logged_step + 1, self.meter.read()
        self._measure(step)
        if self.curve:
            figures = {name: float(f"{value:.5g}") for name, value in self.meter.figures(times, self.speed).items()}
            new, recovered = self.stragglers.add(first, [one.own for one in times])
            for one in (*new, *recovered):
                LOGGER.warning("%s", one)
            self._tell(self.curve, {"step": step, "loss": loss, "learning_rate": rate, "gradient_norm": norm}, figures)
        self.meter.start()

    def _tell(self, curve: Curve, known: dict[str, Any], figures: dict[str, float]) -> None:
        step, loss = known["step"], known["loss"]
        known["tokens"] = step * self.spec.tokens_per_step
        told = {**known, "tokens_per_second": round(self.speed, 1), **figures, "time": round(time.time(), 3)}
        curve.add({_camel(name): value for name, value in told.items()})
        if self._watch:
            self._watch.add(loss)
        left = (self.spec.total_steps - step) * self.spec.tokens_per_step
        self.rank.report(
            **known, tokens_per_second=self.speed, eta_seconds=left / self.speed if self.speed else None,
            measured=figures, stragglers=self.stragglers.named(),
            notes=(*self.notes, *self.stragglers.notes(), *self.saving.notes()),
        )  # fmt: skip
        LOGGER.info(
            "step %d/%d  loss %.4f  lr %.3g  grad norm %.3g  %.0f tokens/s",
            step, self.spec.total_steps, loss, known["learning_rate"], known["gradient_norm"] or math.nan, self.speed,
        )  # fmt: skip

    def _measure(self, step: int) -> None:
        now = time.monotonic()
        steps, seconds = step - self._logged_step, now - self._logged
        if steps and seconds:
            latest = steps * self.spec.tokens_per_step / seconds
            self.speed = latest if not self.speed else self.speed + SMOOTHING * (latest - self.speed)
        self._logged, self._logged_step = now, step

    def _start_interval(self) -> None:
        self._logged, self._logged_step = self._stretch = time.monotonic(), self.trainer.iteration_step
        self.meter.start()

    def _choose_next_save(self, step: int, started: float) -> None:
        """Agree on the step of the next save by what rank 0 has measured of this one and of the steps before it."""
        if self._rhythm:
            since, first = self._stretch
            step_seconds = (started - since) / (step - first) if step > first else 0.0
            chosen = self._rhythm.choose(step, time.monotonic() - started, step_seconds)
            self._rhythm.next_step = self.agreement.from_rank_0(chosen)

    def _save(self, prune: bool = True) -> None:
        step, started = self.trainer.iteration_step, time.monotonic()
        self.rank.beat(step, Activity.SAVING)
        self.rank.report(now=True, activity="saving")
        if self.curve:
            self.curve.write(sync=True)
        # What a stop or the end needs is waited for: nothing comes after it.
        wait = step == self.spec.total_steps or not prune
        self.saving.save(step, self.trainer, self.marker(step), prune, wait)
        self._choose_next_save(step, started)
        self.rank.beat(step, Activity.TRAINING if step else Activity.STARTING)
        self.rank.report(now=True, step=step, activity="training", **self.saving.told())
        self._start_interval()

    def _finish_saving(self) -> None:
        # The data are at fault of a later step, so that the checkpoint is worth having; their error is the one to tell.
        if self.saving.in_flight:
            self.rank.beat(self.trainer.iteration_step, Activity.SAVING)
            with contextlib.suppress(Retry):
                self.saving.settle()
                self.rank.report(now=True, **self.saving.told())


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def _unsound(step: int) -> BadData:
    return BadData(
        "NonFiniteLoss",
        f"The loss or its gradient is no number at step {step}, and training again from the last checkpoint would come "
        "to the same: lower the learning rate, lengthen the warm-up or look at the data.",
        step,
    )


def _spike(step: int, loss: float, multiple: float | None) -> BadData:
    return BadData(
        "LossSpike",
        f"The loss of {loss:.4g} at step {step} is more than {multiple:g} times the median of the hundred before it: "
        "lower the learning rate, look at the data, or let data that spoil the model be skipped.",
        step,
    )
