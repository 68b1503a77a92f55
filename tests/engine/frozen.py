"""Pods whose processes stop and wake again, as on a node that was cut off, and what is on a volume meanwhile."""

import hashlib
import os
import signal
from pathlib import Path

from engine.pretrain_runs import Pod
from trainingrun_workers import processes


def freeze(pod: Pod) -> list[int]:
    """Stop all processes of a pod; yields them."""
    frozen: list[int] = []
    while set(frozen) != set(_everything(pod)):  # one may start another meanwhile
        frozen = _everything(pod)
        for process in frozen:
            os.kill(process, signal.SIGSTOP)
    return frozen


def wake(frozen: list[int]) -> None:
    """Let stopped processes go on."""
    for process in frozen:
        os.kill(process, signal.SIGCONT)


def content(volume: Path) -> dict[str, str]:
    """A checksum of each file on the volume, by its path."""
    files = (path for path in sorted(volume.rglob("*")) if path.is_file())
    return {str(path.relative_to(volume)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _everything(pod: Pod) -> list[int]:
    return [pod.process.pid, *processes.descendants(pod.process.pid)]
