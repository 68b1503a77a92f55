"""The training curve on the volume: `metrics.jsonl`, one JSON object a logged step, ascending and without gaps.

Keys of a line: step, loss, learningRate, gradientNorm (before clipping; null where gradients are not clipped), tokens
(trained on up to here), tokensPerSecond, time (seconds since the epoch).
"""

import json
import os
import time
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
        lines = [line for line in read(claim.folder) if line["step"] <= step]
        self.first_loss: float | None = lines[0]["loss"] if lines else None
        self.last_loss: float | None = lines[-1]["loss"] if lines else None
        self.losses: tuple[float, ...] = tuple(line["loss"] for line in lines)
        path = claim.folder / FILE
        write_atomic(path, "".join(json.dumps(line) + "\n" for line in lines))
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
    path = folder / FILE
    found: list[dict[str, Any]] = []
    for text in path.read_text().splitlines() if path.is_file() else []:
        try:
            found.append(json.loads(text))
        except ValueError:
            break
    return found
