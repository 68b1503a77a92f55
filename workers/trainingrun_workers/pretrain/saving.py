"""Saves checkpoints with all ranks of a gang and removes those that need not be kept."""

import functools
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

from trainingrun_workers.background_write import WriteSign, late_notes
from trainingrun_workers.claim import Claim
from trainingrun_workers.contract import CHECKPOINT_FOLDER, PretrainSpec
from trainingrun_workers.errors import Retry, VolumeFull
from trainingrun_workers.launched import Activity
from trainingrun_workers.pretrain.agreement import Agreement
from trainingrun_workers.pretrain.checkpoints import Checkpoints
from trainingrun_workers.pretrain.retention import Retention
from trainingrun_workers.pretrain.waits import leave_out_this_thread
from trainingrun_workers.pretrain.writing import NO_ROOM_LEFT, Writing, Written
from trainingrun_workers.reporting import read_answer
from trainingrun_workers.volume import Volume, make_folder
from trainingrun_workers.watchdog import LIMITS

LOGGER: Final = logging.getLogger(__name__)
SPARE: Final = 1.05  # of a checkpoint's size: file systems need some room of their own


class Writer(Protocol):
    """What of a trainer is needed to save it."""

    def write(self, folder: Path) -> None:
        """Write this rank's part."""

    def checkpoint_bytes(self) -> int:
        """About how large the whole will be."""


@runtime_checkable
class StagingWriter(Writer, Protocol):
    """A writer that can copy its state, and write the copy while the state changes."""

    def stage(self) -> Callable[[Path], None]:
        """Copy this rank's part into the host's memory; yields what writes it, to be called before the next `stage`."""


@dataclass
class _Flight:
    """A save that is under way."""

    step: int
    needed: int  # bytes
    folder: Path
    started: float
    written: Future[Written]
    stalled: float | None = None  # seconds for which training stood still, where that is not all of it


class Saving:
    """The checkpoints of a stage as one gang writes them; every method but `complete` is for all ranks together."""

    def __init__(
        self, spec: PretrainSpec, claim: Claim, volume: Volume, agreement: Agreement, answer: Path, first: bool,
        sign: WriteSign,
    ) -> None:  # fmt: skip
        """`answer` is where the operator's answers lie; `sign` tells the pod's main process of what is being written.

        `first` says whether this rank is the first of its node, which syncs what the node has written.
        """
        self._checkpoints = Checkpoints(make_folder(claim.folder / CHECKPOINT_FOLDER), claim.name)
        self._skips = spec.skips
        self._retention = Retention.of(spec)
        self._converted = Checkpoints(volume.path(spec.converted)) if spec.converted else None
        self._claim = claim
        self._volume = volume
        self._agreement = agreement
        self._answer = answer
        self._first = first
        self._sign = sign
        self._patience = LIMITS[Activity.SAVING](spec.hang_timeout)
        self._steps: tuple[int, ...] = ()
        self._staged = spec.saves_in_background
        self._thread = ThreadPoolExecutor(1, "saving", leave_out_this_thread)
        self._other: Agreement | None = None
        self._flight: _Flight | None = None

    def newest(self) -> tuple[int, Path] | None:
        """The newest complete checkpoint's step and folder, the same on all ranks.

        Torn ones and those of data that are skipped now are set aside; Retry("Fenced") as with `save`.
        """
        self._check_claim()
        if self._agreement.rank == 0:
            self._set_aside()
        self._steps = self._agreement.from_rank_0(self._checkpoints.complete())
        newest = max(self._steps, default=None)
        return None if newest is None else (newest, self._checkpoints.path(newest))

    @property
    def complete(self) -> tuple[int, ...]:
        """The steps of all complete checkpoints, as of the last save."""
        return self._steps

    def told(self) -> dict[str, Any]:
        """The fields of a report that tell of them."""
        return {"checkpoint": max(self._steps, default=None), "checkpoints": list(self._steps)}

    @property
    def in_flight(self) -> bool:
        """Whether a checkpoint is being written while training goes on, or has been and `settle` was not called yet."""
        return self._flight is not None

    def notes(self) -> tuple[str, ...]:
        """A warning while one takes long to be written behind training."""
        flight = self._flight
        if flight is None or flight.written.done():
            return ()
        return late_notes(flight.step, flight.folder, time.monotonic() - flight.started, self._patience)

    def unfinished(self) -> bool:
        """Whether this rank is still writing one; an error that ends this rank alone is raised here."""
        if self._flight is None or not self._flight.written.done():
            return self.in_flight
        self._flight.written.result()
        return False

    def save(self, step: int, writer: Writer, marker: dict[str, Any], prune: bool = True, wait: bool = True) -> None:
        """Save a step. VolumeFull where there is no room, Retry where it fails otherwise; the step before stays.

        Then remove what need not be kept, unless `prune` says no and there is room all the same.
        Retry("Fenced") on all ranks where another attempt has claimed the stage's folder.
        Without `wait`, and where the writer can do so, only a copy is made here: it is written in a thread of its own
        while training goes on, and `settle` tells what came of it. The save before is settled first.
        """
        started = time.monotonic()
        self.settle()
        self._check_claim()
        needed = writer.checkpoint_bytes()
        self._check_room(step, needed)
        folder = self._agreement.from_rank_0(self._checkpoints.begin(step) if self._agreement.rank == 0 else None)
        staging = self._staged and isinstance(writer, StagingWriter)
        writing = Writing(
            self._checkpoints, self._claim, self._beside() if staging else self._agreement, self._first,
            step, folder, marker, self.prune if prune else _nothing,
        )  # fmt: skip
        if isinstance(writer, StagingWriter) and staging:
            written = self._thread.submit(
                self._sign.during, step, folder, functools.partial(writing.write, writer.stage())
            )
        else:
            written = _done(writing.write(writer.write))
        self._flight = _Flight(step, needed, folder, started, written)
        if wait or not staging:
            self.settle()
        else:
            self._flight.stalled = time.monotonic() - started

    def settle(self) -> None:
        """Wait until nothing is being written, and raise on all ranks what `save` would have raised."""
        flight, self._flight = self._flight, None
        if flight is None:
            return
        written = flight.written.result()
        if written.failure:
            self._check_claim()
            raise self._failure(flight.step, written.failure, flight.needed)
        self._steps = written.steps
        if self._agreement.rank == 0:
            seconds = written.ended - flight.started
            LOGGER.info(
                "Saved step %d in %.1f s; training stood still for %.3f s",
                flight.step, seconds, seconds if flight.stalled is None else flight.stalled,
            )  # fmt: skip

    def prune(self) -> None:
        """Remove the checkpoints that need not be kept by what the operator has last said; for rank 0."""
        answer = read_answer(self._answer)
        if answer:
            self._retention = self._retention.updated(answer)
        converted = self._converted.complete() if self._converted else ()
        for step in self._retention.removable(self._checkpoints.complete(), converted):
            self._claim.check()
            self._checkpoints.remove(step)

    def _beside(self) -> Agreement:
        # The thread's own: the messages of two threads in one group would be taken for each other's.
        if self._other is None:
            self._other = Agreement()
        return self._other

    def _set_aside(self) -> None:
        for name in self._checkpoints.set_torn_aside():
            LOGGER.warning("A torn checkpoint was set aside as %s", name)
        for step in self._checkpoints.set_skipped_aside(self._skips):
            LOGGER.warning("The checkpoint of step %d, made of data that are now left out, was set aside", step)

    def _check_claim(self) -> None:
        # Of each node its own look, since a node that was cut off has its own view of the volume.
        if self._agreement.any(self._first and not self._claim.held())[0]:
            raise self._claim.fenced()

    def _check_room(self, step: int, needed: int) -> None:
        free = None
        if self._agreement.rank == 0:
            free = self._volume.free_bytes()
            if free < SPARE * needed:
                self.prune()  # what was converted since the last save
                free = self._volume.free_bytes()
        free = self._agreement.from_rank_0(free)
        if free < SPARE * needed:
            raise _full(step, free, needed, self._steps)

    def _failure(self, step: int, words: str, needed: int) -> Retry:
        free = self._volume.free_bytes()
        if free < needed:
            return _full(step, free, needed, self._steps)
        if words.startswith(NO_ROOM_LEFT):
            return VolumeFull(
                f"The volume had no room for checkpoint {step} ({words}): make room on the claim or use a larger one; "
                f"training goes on from {_last(self._steps)}.",
                max(self._steps, default=None),
            )
        return Retry(
            "SaveFailed",
            f"Checkpoint {step} could not be written ({words}); training goes on from {_last(self._steps)}.",
            max(self._steps, default=None),
        )


def _nothing() -> None:
    """In place of removing what need not be kept."""


def _done(written: Written) -> Future[Written]:
    future: Future[Written] = Future()
    future.set_result(written)
    return future


def _full(step: int, free: int, needed: int, steps: tuple[int, ...]) -> VolumeFull:
    return VolumeFull(
        f"The volume has {free / 1e6:.1f} MB left and checkpoint {step} needs about {needed / 1e6:.1f} MB: make room "
        f"on the claim or use a larger one; training goes on from {_last(steps)}.",
        max(steps, default=None),
    )


def _last(steps: tuple[int, ...]) -> str:
    return f"step {steps[-1]}" if steps else "the start"
