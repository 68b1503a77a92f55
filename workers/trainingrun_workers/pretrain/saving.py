"""Saves checkpoints with all ranks of a gang and removes those that need not be kept."""

import logging
import time
from pathlib import Path
from typing import Any, Final, Protocol

from trainingrun_workers.claim import Claim
from trainingrun_workers.contract import CHECKPOINT_FOLDER, PretrainSpec
from trainingrun_workers.errors import NO_ROOM, Retry, VolumeFull
from trainingrun_workers.pretrain.agreement import Agreement
from trainingrun_workers.pretrain.checkpoints import Checkpoints, sync
from trainingrun_workers.pretrain.retention import Retention
from trainingrun_workers.reporting import read_answer
from trainingrun_workers.volume import Volume, make_folder

LOGGER: Final = logging.getLogger(__name__)
_NO_ROOM: Final = "no space or no inodes left"
SPARE: Final = 1.05  # of a checkpoint's size: file systems need some room of their own


class Writer(Protocol):
    """What of a trainer is needed to save it."""

    def write(self, folder: Path) -> None:
        """Write this rank's part."""

    def checkpoint_bytes(self) -> int:
        """About how large the whole will be."""


class Saving:
    """The checkpoints of a stage as one gang writes them; every method but `complete` is for all ranks together."""

    def __init__(
        self, spec: PretrainSpec, claim: Claim, volume: Volume, agreement: Agreement, answer: Path, first: bool
    ) -> None:
        """`answer` is where the operator's answers lie.

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
        self._steps: tuple[int, ...] = ()

    def newest(self) -> tuple[int, Path] | None:
        """The newest complete checkpoint's step and folder, the same on all ranks.

        Torn ones and those of data that are skipped now are set aside; Retry("Fenced") as with `save`.
        """
        self._check_claim()
        newest = None
        if self._agreement.rank == 0:
            self._set_aside()
            newest = self._checkpoints.newest()
        self._steps = self._agreement.from_rank_0(self._checkpoints.complete())
        newest = self._agreement.from_rank_0(newest)
        return None if newest is None else (newest, self._checkpoints.path(newest))

    @property
    def complete(self) -> tuple[int, ...]:
        """The steps of all complete checkpoints, as of the last save."""
        return self._steps

    def save(self, step: int, writer: Writer, marker: dict[str, Any], prune: bool = True) -> None:
        """Save a step. VolumeFull where there is no room, Retry where it fails otherwise; the step before stays.

        Then remove what need not be kept, unless `prune` says no and there is room all the same.
        Retry("Fenced") on all ranks where another attempt has claimed the stage's folder.
        """
        started = time.monotonic()
        self._check_claim()
        self._check_room(step, writer.checkpoint_bytes())
        folder = self._agreement.from_rank_0(self._checkpoints.begin(step) if self._agreement.rank == 0 else None)
        failures = [one for one in self._agreement.of_all(self._attempt(folder, writer)) if one]
        if not failures:
            failures = [one for one in self._agreement.of_all(self._sync(folder)) if one]
        if not failures:
            failures = [one for one in self._agreement.of_all(self._finish(step, marker)) if one]
        if failures:
            if self._agreement.rank == 0:
                self._checkpoints.abandon(step)
            self._check_claim()
            raise self._failure(step, failures[0], writer.checkpoint_bytes())
        if self._agreement.rank == 0:
            if prune:
                self.prune()
            LOGGER.info("Saved step %d in %.1f s", step, time.monotonic() - started)
        self._steps = self._agreement.from_rank_0(self._checkpoints.complete())

    def prune(self) -> None:
        """Remove the checkpoints that need not be kept by what the operator has last said; for rank 0."""
        answer = read_answer(self._answer)
        if answer:
            self._retention = self._retention.updated(answer)
        converted = self._converted.complete() if self._converted else ()
        for step in self._retention.removable(self._checkpoints.complete(), converted):
            self._claim.check()
            self._checkpoints.remove(step)

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

    def _attempt(self, folder: Path, writer: Writer) -> str | None:
        # RuntimeError is torch's for a failed write; safetensors' own error derives from Exception alone.
        from safetensors import SafetensorError

        try:
            writer.write(folder)
        except (OSError, RuntimeError, SafetensorError) as error:
            return _words(error)
        return None

    def _sync(self, folder: Path) -> str | None:
        try:
            if self._first:
                sync(folder)
        except OSError as error:
            return _words(error)
        return None

    def _finish(self, step: int, marker: dict[str, Any]) -> str | None:
        if self._agreement.rank:
            return None
        if not self._claim.held():  # as a word to all ranks, so that what an engine has made anew here is removed
            return "another attempt has claimed the folder"
        try:
            self._checkpoints.finish(step, marker)
        except OSError as error:
            return _words(error)
        return None

    def _failure(self, step: int, words: str, needed: int) -> Retry:
        free = self._volume.free_bytes()
        if free < needed:
            return _full(step, free, needed, self._steps)
        if words.startswith(_NO_ROOM):
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


def _words(error: Any) -> str:
    text = " ".join(str(error).split())[:300]
    full = getattr(error, "errno", None) in NO_ROOM or "No space left" in text or "os error 28" in text
    return f"{_NO_ROOM}: {text}" if full else text or type(error).__name__


def _full(step: int, free: int, needed: int, steps: tuple[int, ...]) -> VolumeFull:
    return VolumeFull(
        f"The volume has {free / 1e6:.1f} MB left and checkpoint {step} needs about {needed / 1e6:.1f} MB: make room "
        f"on the claim or use a larger one; training goes on from {_last(steps)}.",
        max(steps, default=None),
    )


def _last(steps: tuple[int, ...]) -> str:
    return f"step {steps[-1]}" if steps else "the start"
