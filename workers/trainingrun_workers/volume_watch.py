"""Ends a pod whose volume has stopped answering: a read or a write of it may never come back, and nothing follows.

A hard mount of a dead file server keeps whoever asks it waiting, without an error. A pod that is ended gives its node,
its GPUs and its index back, and the next attempt mounts anew.
"""

import contextlib
import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Final

from trainingrun_workers import processes
from trainingrun_workers.contract import Result
from trainingrun_workers.errors import Retry
from trainingrun_workers.watchdog import node_name

REASON: Final = "VolumeSilent"
SECONDS_VARIABLE: Final = "TRAININGRUN_VOLUME_SECONDS"
SECONDS: Final = 1800.0  # file servers that fail over are back within minutes


class VolumeWatch:
    """Ends this process and all below it where what the volume is asked for does not come back in time.

    `leave` gets the last words, from another thread than the one that waits, and must not touch the volume itself.
    """

    def __init__(self, leave: Callable[[Result], int]) -> None:
        self._leave = leave
        self._seconds = float(os.environ.get(SECONDS_VARIABLE) or SECONDS)

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Whatever is done within ends in time, or this process does."""
        timer = threading.Timer(self._seconds, self._end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _end(self) -> None:
        faulthandler.dump_traceback(sys.__stderr__ or 2)
        code = self._leave(silent(self._seconds, node_name()).result())
        for process in processes.descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        os._exit(code)


def silent(seconds: float, node: str) -> Retry:
    """What is said of a volume that has answered nothing for so long on a node."""
    return Retry(
        REASON,
        f"The volume has answered nothing for {seconds:,.0f} s on node {node}: look at its server, and at its mount "
        "there; what was finished before is kept.",
    )
