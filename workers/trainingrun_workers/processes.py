"""The processes below torchrun: found, told and ended by their ids alone."""

import contextlib
import os
import signal
from pathlib import Path


def ranks(folder: Path) -> dict[int, int]:
    """The process ids of the ranks that have started, by rank, as they wrote them into their folder."""
    found = {}
    for path in sorted(folder.glob("*.pid")):
        with contextlib.suppress(ValueError):  # being written
            found[int(path.stem)] = int(path.read_text())
    return found


def tell(number: signal.Signals, folder: Path, told: set[int]) -> set[int]:
    """Send a signal to each started rank that is not yet among `told`; yields the ids of those it reached."""
    reached = set()
    for process in ranks(folder).values():
        if process not in told:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)
                reached.add(process)
    return reached


def kill(root: int, folder: Path) -> None:
    """End a process, all that descend from it and all ranks, at once."""
    for process in {root, *descendants(root), *ranks(folder).values()}:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def is_stopped(process: int) -> bool:
    """Whether a process is stopped, as by SIGSTOP, so that it would answer nothing."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False


def descendants(root: int) -> list[int]:
    """The ids of all processes below one, nearest first."""
    found = []
    for task in Path(f"/proc/{root}/task").glob("*"):
        with contextlib.suppress(OSError):
            for child in (task / "children").read_text().split():
                found += [int(child), *descendants(int(child))]
    return found
