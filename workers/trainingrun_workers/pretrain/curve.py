"""The training curve on the volume: `metrics.jsonl`, one JSON object a logged step, ascending and without gaps.

Keys of a line: step, loss, learningRate, gradientNorm (before clipping; null where gradients are not clipped), tokens
(trained on up to here), tokensPerSecond, time (seconds since the epoch); of a pretrain stage also those of
`contract.MEASURED` that are known, in camel case: mfu, dataWait, stepSpread and so on.
"""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.claim import Claim
from trainingrun_workers.volume import write_atomic

FILE: Final = "metrics.jsonl"
WRITE_SECONDS: Final = 2.0


class Curve:
    """Appends to the curve of a stage's folder; for one process of the attempt that holds the claim."""

    def __init__(self, claim: Claim, step: int) -> None:
        """Go on after `step`: later lines, of steps that are done again now, are dropped, and a torn one as well."""
        claim.check()
        self._claim = claim
        self._waiting: list[str] = []
        self._due = 0.0
        kept = [line for line in read(claim.folder) if line["step"] <= step]
        self.first_loss: float | None = kept[0]["loss"] if kept else None
        self.last_loss: float | None = kept[-1]["loss"] if kept else None
        self.losses: tuple[float, ...] = tuple(line["loss"] for line in kept)
        path = claim.folder / FILE
        write_atomic(path, "".join(json.dumps(line) + "\n" for line in kept))
        # Open from here on: what is written too late goes into this file, which the next attempt has replaced.
        self._file = path.open("a")

    def add(self, line: dict[str, Any]) -> None:
        """Append a line, which reaches the volume within two seconds of steps."""
        self.first_loss = line["loss"] if self.first_loss is None else self.first_loss
        self.last_loss = line["loss"]
        self._waiting.append(json.dumps(line) + "\n")
        if time.monotonic() >= self._due:
            self.write()

    def write(self, sync: bool = False) -> None:
        """Write what waits; with `sync`, until it is on the disk. Retry("Fenced") where another attempt has begun."""
        self._due = time.monotonic() + WRITE_SECONDS
        self._claim.check()
        self._file.write("".join(self._waiting))
        self._waiting.clear()
        self._file.flush()
        if sync:
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Write what waits, until it is on the disk; nothing can be added any more."""
        with self._file:
            self.write(sync=True)


def read(folder: Path) -> list[dict[str, Any]]:
    """The lines of a stage's curve up to the first that is torn; none where it has none."""
    return list(lines(folder))


def lines(folder: Path) -> Iterator[dict[str, Any]]:
    """The same one by one, for curves of millions of steps."""
    path = folder / FILE
    if not path.is_file():
        return
    with path.open() as file:
        for text in file:
            try:
                yield json.loads(text)
            except ValueError:
                return
