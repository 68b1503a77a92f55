"""What a process costs: wall time, CPU time and resident memory, as the kernel counts them of it and its children."""

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """Of some processes that ran at the same time, from the first's start to the last's end."""

    wall: float  # seconds
    cpu: float  # seconds, user and system, of all of them
    resident: int  # bytes, of the largest


def measured(starts: Sequence[Callable[[], "subprocess.Popen[str]"]]) -> tuple[Cost, list[str]]:
    """Start processes, whose output is a pipe, at the same time; their cost and what each said.

    RuntimeError with the end of its output where one fails.
    """
    started = time.monotonic()
    running = [start() for start in starts]
    logs, usages = [], []
    for process in running:
        assert process.stdout
        with process.stdout:
            logs.append(process.stdout.read())
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        usages.append(usage)
    wall = time.monotonic() - started
    for process, log in zip(running, logs, strict=True):
        if process.returncode:
            raise RuntimeError(f"A measured process ended with {process.returncode}:\n{log[-4000:]}")
    cpu = sum(one.ru_utime + one.ru_stime for one in usages)
    return Cost(wall, cpu, max(one.ru_maxrss for one in usages) * 1024), logs


def median(costs: Sequence[Cost]) -> Cost:
    """Each figure's own median."""
    return Cost(
        statistics.median(one.wall for one in costs),
        statistics.median(one.cpu for one in costs),
        int(statistics.median(one.resident for one in costs)),
    )
