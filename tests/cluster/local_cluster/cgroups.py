"""The control groups that containers are in, whose members tell whom to end. Hierarchies of version 1 and 2."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from local_cluster.errors import ClusterError
from local_cluster.processes import kill_pids

_ROOT = Path("/sys/fs/cgroup")
_PATIENCE = 10.0


def _hierarchies() -> list[Path]:
    if (_ROOT / "cgroup.controllers").exists():
        return [_ROOT]
    return [folder for folder in _ROOT.iterdir() if folder.is_dir() and not folder.is_symlink()]


def make(name: str) -> None:
    """Make the control group in every hierarchy; under version 1 a new cpuset has no CPU until it is given some."""
    for hierarchy in _hierarchies():
        folder = hierarchy
        for part in Path(name).parts:
            parent, folder = folder, folder / part
            folder.mkdir(exist_ok=True)
            for setting in ("cpuset.cpus", "cpuset.mems"):
                if (parent / setting).exists() and (folder / "cpuset.sched_load_balance").exists():
                    (folder / setting).write_text((parent / setting).read_text())


def _below(folder: Path) -> list[Path]:
    """The folder and all below it; those that vanish meanwhile, as the groups of ended containers do, are left out."""
    return [Path(path) for path, _, _ in os.walk(folder)]


def members(name: str) -> Iterator[int]:
    """The pids in the control group and in those below it."""
    for hierarchy in _hierarchies():
        for folder in _below(hierarchy / name):
            with contextlib.suppress(OSError):
                yield from map(int, (folder / "cgroup.procs").read_text().split())


def end(name: str) -> None:
    """SIGKILL to every process in it, then remove it; raises ClusterError where one stays for 10 s."""
    limit = time.monotonic() + _PATIENCE
    while pids := set(members(name)):
        if time.monotonic() > limit:
            raise ClusterError(f"Processes {sorted(pids)} do not end, though killed: restart the machine.")
        kill_pids(pids)
        time.sleep(0.05)
    for hierarchy in _hierarchies():
        for folder in sorted(_below(hierarchy / name), reverse=True):
            with contextlib.suppress(OSError):
                folder.rmdir()
