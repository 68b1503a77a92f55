"""What a rank writes while it trains, told in a file beside its heartbeat: steps go on although such a write hangs."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, TypeVar

Done = TypeVar("Done")
LATE: Final = 0.1  # of the time after which a write ends the attempt: it is told of
_SUFFIX: Final = "write"


@dataclass(frozen=True)
class BackgroundWrite:
    """A checkpoint that is being written behind training."""

    step: int
    folder: str
    since: float  # seconds on the machine's monotonic clock


class WriteSign:
    """A rank's file, which is there while it writes."""

    def __init__(self, folder: Path, rank: int) -> None:
        self._path = folder / f"{rank}.{_SUFFIX}"

    def during(self, step: int, folder: Path, work: Callable[[], Done]) -> Done:
        """Do the work of writing a checkpoint into a folder, and say so until it is done."""
        self._path.write_text(json.dumps(asdict(BackgroundWrite(step, str(folder), time.monotonic()))))
        try:
            return work()
        finally:
            self._path.unlink(missing_ok=True)


def late_notes(step: int, folder: Path, seconds: float, patience: float) -> tuple[str, ...]:
    """A warning about a write that has taken so long, where that is a good part of what ends the attempt."""
    if seconds < LATE * patience:
        return ()
    return (
        f"Checkpoint {step} has been written behind training for more than {LATE * patience:,.0f} s into {folder}: at "
        f"{patience:,.0f} s the attempt ends as one that hangs.",
    )


def background_writes(folder: Path) -> Iterator[BackgroundWrite]:
    """What this pod's ranks are writing, the longest first."""
    found = []
    for path in folder.glob(f"*.{_SUFFIX}"):
        with contextlib.suppress(FileNotFoundError, ValueError):  # just over; just beginning
            found.append(BackgroundWrite(**json.loads(path.read_text())))
    yield from sorted(found, key=lambda one: one.since)
