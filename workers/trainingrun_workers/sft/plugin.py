"""The plugin by which Axolotl's trainer reports, keeps its checkpoints whole, and stops with all ranks at one step.

Axolotl makes the plugin itself, by name; `begin` says before for what.
"""

import dataclasses
import gc
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch.distributed
from axolotl.integrations.base import BasePlugin
from transformers import PrinterCallback, ProgressCallback, TrainerCallback

from trainingrun_workers.claim import Claim
from trainingrun_workers.errors import BadData, Preempted
from trainingrun_workers.launched import Activity, LaunchedRank
from trainingrun_workers.pretrain.agreement import Agreement
from trainingrun_workers.pretrain.checkpoints import sync
from trainingrun_workers.sft.checkpoints import Checkpoints
from trainingrun_workers.sft.failures import Phase, Progress
from trainingrun_workers.sft.ordering import PackingOrder
from trainingrun_workers.sft.record import Record


@dataclasses.dataclass
class Session:
    """What this rank's plugin works with."""

    rank: LaunchedRank
    progress: Progress
    checkpoints: Checkpoints
    workspace: Path  # where the trainer writes
    claim: Claim
    notes: Callable[[], tuple[str, ...]]  # on the data, once they are prepared
    saves_on_stop: Callable[[], None]  # to be called when there is something to save
    trainer: Any = None  # once it is built
    order: PackingOrder | None = None
    record: Record | None = None  # on rank 0, once training has begun


class AlreadyTrainedError(Exception):
    """The checkpoint that training was to go on from is of the last step: only its model is to be saved."""


_begun: Final[list[Session]] = []


def begin(session: Session) -> None:
    """Give the plugin that Axolotl is about to make its session."""
    _begun[:] = [session]


class ProgressPlugin(BasePlugin):  # type: ignore[misc]  # Axolotl is only in its image
    """Adds `Following` to the trainer's callbacks."""

    def add_callbacks_pre_trainer(self, cfg: Any, model: Any) -> list[TrainerCallback]:
        """The callback of the session that was begun."""
        return [Following(_begun[0])]

    def post_trainer_create(self, cfg: Any, trainer: Any) -> None:
        """Keep the trainer at hand, set its order of data, and leave the printing of its logs to the record."""
        _begun[0].trainer = trainer
        if not cfg.rl:  # pairs of answers are not packed
            _begun[0].order = PackingOrder(trainer, cfg.seed)
        for printer in (PrinterCallback, ProgressCallback):
            trainer.remove_callback(printer)


class Following(TrainerCallback):  # type: ignore[misc]  # transformers is only in the image
    """Follows the trainer; each method is called by all ranks at the same point, which the agreement relies on."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._rank = session.rank
        self._agreement: Agreement | None = None
        self._keep = 1
        self._stopping = False

    def on_train_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Take over signals, retention and the record; AlreadyTrainedError where no step is left."""
        session = self._session
        session.saves_on_stop()
        state.best_model_checkpoint = self._moved(state.best_model_checkpoint)
        session.progress.phase = Phase.TRAINING
        # The trainer would hide a loss that is no number, and would remove old checkpoints before the new is whole.
        args.logging_nan_inf_filter = False
        self._keep, args.save_total_limit = args.save_total_limit or 4, None
        if torch.distributed.is_initialized():
            self._agreement = Agreement()
        if self._rank.rank == 0:
            session.record = Record(self._rank, session.claim, state.global_step, state.max_steps)
            self._rank.report(now=True, notes=session.notes(), **self._steps())
        if session.order is None:
            gc.freeze()  # Axolotl's trainer for pairs collects garbage at each step, which takes longer than the step
        self._rank.beat(state.global_step, Activity.STARTING)
        if state.global_step >= state.max_steps:  # the trainer would do another one
            raise AlreadyTrainedError

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Set the order of the epoch that begins, or that is gone on with."""
        if self._session.order:
            self._session.order.begin_epoch(int(state.epoch or 0))

    def on_substep_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Show that this rank lives, between the steps that gradients are gathered over."""
        self._rank.beat(state.global_step, Activity.TRAINING if state.global_step else Activity.STARTING)

    def on_prediction_step(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Show that this rank lives, while it evaluates."""
        self._rank.beat(state.global_step, Activity.TRAINING)

    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Agree on whether to stop here; then this step is saved and logged, and not evaluated."""
        if self._any(self._rank.stop_requested) and state.global_step < state.max_steps:
            self._stopping = True
            control.should_save = control.should_log = control.should_training_stop = True
            control.should_evaluate = False
        self._rank.beat(state.global_step, Activity.SAVING if control.should_save else Activity.TRAINING)
        if control.should_save:
            self._rank.report(activity="saving")
            self._check_claim()

    def on_epoch_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Show that what follows is the saving of a checkpoint, where one is made every epoch."""
        if control.should_save:
            self._rank.beat(state.global_step, Activity.SAVING)
            self._check_claim()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **others: Any) -> None:
        """Record what was logged; BadData where the loss is no number."""
        if logs and not math.isfinite(float(logs.get("loss", 0.0))):
            raise BadData(
                "NonFiniteLoss",
                f"The loss is no number at step {state.global_step}, and training again would come to the same: lower "
                "the learning rate, lengthen the warm-up or look at the data.",
            )
        if logs and self._session.record:
            self._session.record.add(state.global_step, logs)

    def on_save(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Mark the checkpoint that was written; Preempted when it was the last one before a stop.

        Retry("Fenced") where another attempt has claimed the stage's folder meanwhile.
        """
        session = self._session
        step, checkpoints = state.global_step, session.checkpoints
        if self._rank.local_rank == 0:
            sync(session.workspace / checkpoints.path(step).name)
        self._wait()
        state.best_model_checkpoint = self._moved(state.best_model_checkpoint)
        if session.record:
            session.record.curve.write(sync=True)
            session.claim.check()
            checkpoints.finish(step, session.workspace)
            best = state.best_model_checkpoint
            checkpoints.prune(self._keep, Path(best) if best else None)
            self._rank.report(now=True, activity="training", step=step, **self._steps())
        self._wait()
        self._rank.beat(step, Activity.TRAINING)
        if self._stopping:
            message = f"The pod was told to stop and saved step {step}; training goes on from there."
            raise Preempted(message, step)

    def on_train_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Show that what follows is the saving of the model."""
        self._rank.beat(state.global_step, Activity.SAVING)
        self._rank.report(now=True, activity="saving the model")

    def _steps(self) -> dict[str, Any]:
        steps = self._session.checkpoints.complete()
        return {"checkpoint": max(steps, default=None), "checkpoints": list(steps)}

    def _moved(self, best: str | None) -> str | None:
        """Where a checkpoint lies that the trainer knows by the place that it has written it to."""
        return str(self._session.checkpoints.folder / Path(best).name) if best else best

    def _check_claim(self) -> None:
        if self._any(self._rank.local_rank == 0 and not self._session.claim.held()):
            raise self._session.claim.fenced()

    def _any(self, flag: bool) -> bool:
        return self._agreement.any(flag)[0] if self._agreement else flag

    def _wait(self) -> None:
        if self._agreement:
            self._agreement.wait()
