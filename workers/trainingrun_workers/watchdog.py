"""Notices ranks that no longer step, and keeps their stacks before they are ended."""

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from trainingrun_workers import processes
from trainingrun_workers.errors import Retry
from trainingrun_workers.launched import BEAT, STACK_SIGNAL, Activity
from trainingrun_workers.volume import make_folder

CHECK_SECONDS: Final = 0.5
STACK_SECONDS: Final = 2.0
# Compilation and the first collective take longer than a step; saving and loading are bound by the volume.
LIMITS: Final[dict[Activity, Callable[[float], float]]] = {
    Activity.STARTING: lambda timeout: max(3 * timeout, 600.0),
    Activity.LOADING: lambda timeout: max(10 * timeout, 3600.0),
    Activity.TRAINING: lambda timeout: timeout,
    Activity.SAVING: lambda timeout: max(10 * timeout, 3600.0),
}


@dataclass(frozen=True)
class HangRule:
    """How long a rank may go without a step, and where its stack is kept: `<stacks>/<prefix>-r<rank>.txt`."""

    timeout: float
    stacks: Path
    prefix: str


class Watchdog:
    """Looks at the heartbeats of this pod's ranks."""

    def __init__(self, folder: Path, rule: HangRule) -> None:
        self._folder = folder
        self._rule = rule
        self._due = 0.0

    def check(self) -> None:
        """Retry("Hang") when a rank has been silent for too long, once the stacks of all are kept."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + CHECK_SECONDS
        for path in self._folder.glob("*.beat"):
            data = path.read_bytes()
            if len(data) == BEAT.size:
                step, activity, then = BEAT.unpack(data)
                silent = time.monotonic() - then
                if silent > LIMITS[Activity(activity)](self._rule.timeout):
                    self._give_up(int(path.stem), step, Activity(activity), silent)

    def _give_up(self, rank: int, step: int, activity: Activity, silent: float) -> NoReturn:
        kept = self._keep_stacks()
        raise Retry(
            "Hang",
            f"Rank {rank} was silent for {silent:.0f} s in step {step + 1} ({activity.name.lower()}), longer than "
            f"hangTimeout allows: the stacks of {kept} ranks are in {self._rule.stacks}.",
        )

    def _keep_stacks(self) -> int:
        for process in processes.ranks(self._folder).values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, STACK_SIGNAL)
                os.kill(process, signal.SIGCONT)  # a stopped process would not answer
        time.sleep(STACK_SECONDS)
        written = [path for path in self._folder.glob("*.stacks") if path.stat().st_size]
        make_folder(self._rule.stacks)
        for path in written:
            shutil.copyfile(path, self._rule.stacks / f"{self._rule.prefix}-r{path.stem}.txt")
        return len(written)
