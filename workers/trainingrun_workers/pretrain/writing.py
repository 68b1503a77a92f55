"""What all ranks of a gang do to make a checkpoint whole: write, sync, mark, and remove what it replaces."""

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.claim import Claim
from trainingrun_workers.errors import NO_ROOM
from trainingrun_workers.pretrain.agreement import Agreement
from trainingrun_workers.pretrain.checkpoints import Checkpoints, sync

NO_ROOM_LEFT: Final = "no space or no inodes left"


@dataclass(frozen=True)
class Written:
    """What came of a save, the same on all ranks but for the clock."""

    failure: str | None  # the first rank's words; the checkpoint is whole where there are none
    steps: tuple[int, ...]  # of all complete checkpoints
    ended: float  # seconds of this machine's monotonic clock


@dataclass(frozen=True)
class Writing:
    """The writing of one checkpoint into the folder that `Checkpoints.begin` has made for it.

    `agreement` is for the thread that calls `write` and for no other at the same time.
    """

    checkpoints: Checkpoints
    claim: Claim
    agreement: Agreement
    first: bool  # whether this rank is the first of its node, which syncs what the node has written
    step: int
    folder: Path
    marker: dict[str, Any]
    prune: Callable[[], None]  # rank 0 calls it once the checkpoint is whole

    def write(self, part: Callable[[Path], None]) -> Written:
        """Write this rank's part and wait for the others; rank 0 marks when every rank and every node's disk has its.

        Where any rank fails nothing is left of it. Retry("Fenced") on rank 0 alone where the claim is lost in between.
        """
        attempts: tuple[Callable[[], str | None], ...] = (
            functools.partial(self._write, part),
            self._sync,
            self._finish,
        )
        for attempt in attempts:
            failures = [one for one in self.agreement.of_all(attempt()) if one]
            if failures:
                if self.agreement.rank == 0:
                    self.checkpoints.abandon(self.step)
                self.agreement.wait()
                return Written(failures[0], (), time.monotonic())
        if self.agreement.rank == 0:
            self.prune()
        return Written(None, self.agreement.from_rank_0(self.checkpoints.complete()), time.monotonic())

    def _write(self, part: Callable[[Path], None]) -> str | None:
        # RuntimeError is torch's for a failed write; safetensors' own error derives from Exception alone.
        from safetensors import SafetensorError

        try:
            part(self.folder)
        except (OSError, RuntimeError, SafetensorError) as error:
            return _words(error)
        return None

    def _sync(self) -> str | None:
        try:
            if self.first:
                sync(self.folder)
        except OSError as error:
            return _words(error)
        return None

    def _finish(self) -> str | None:
        if self.agreement.rank:
            return None
        if not self.claim.held():  # as a word to all ranks, so that what an engine has made anew here is removed
            return "another attempt has claimed the folder"
        try:
            self.checkpoints.finish(self.step, self.marker)
        except OSError as error:
            return _words(error)
        return None


def _words(error: Any) -> str:
    text = " ".join(str(error).split())[:300]
    full = getattr(error, "errno", None) in NO_ROOM or "No space left" in text or "os error 28" in text
    return f"{NO_ROOM_LEFT}: {text}" if full else text or type(error).__name__
