"""How much of this machine others take, so that a limit in seconds means the same on a busy one."""

import time
from dataclasses import dataclass
from pathlib import Path

_COLUMNS = 8  # user nice system idle iowait irq softirq steal, in /proc/stat's order
_IDLE = (3, 4)


@dataclass
class Usage:
    """Ticks of all cores so far, and of some processes."""

    busy: int
    total: int
    own: int


def usage(processes: list[int]) -> Usage:
    """What is used so far; `processes` are those that count as our own."""
    ticks = [int(one) for one in Path("/proc/stat").read_text().split("\n")[0].split()[1 : 1 + _COLUMNS]]
    busy = sum(ticks) - sum(ticks[one] for one in _IDLE)
    return Usage(busy, sum(ticks), sum(_ticks(one) for one in processes))


def _ticks(process: int) -> int:
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0
    return int(fields[11]) + int(fields[12])


def share_of_others(before: Usage, after: Usage) -> float:
    """The share of all cores that others, the hypervisor among them, have taken: 0.0 to 1.0."""
    total = max(after.total - before.total, 1)
    others = (after.busy - before.busy) - (after.own - before.own)
    return min(max(others / total, 0.0), 1.0)


def resident_mib(process: int, field: str = "VmHWM") -> float:
    """Resident memory of a process in MiB: at its highest, or now (VmRSS)."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def wait_seconds(seconds: float) -> None:
    """Let time pass."""
    time.sleep(seconds)
