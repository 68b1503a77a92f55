"""Notices ranks that no longer step, and keeps their stacks before they are ended."""

import contextlib
import functools
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from trainingrun_workers import processes
from trainingrun_workers.background_write import BackgroundWrite, background_writes
from trainingrun_workers.errors import Retry
from trainingrun_workers.flight_recorder import Flights, who_is_missing
from trainingrun_workers.launched import BEAT, STACK_SIGNAL, Activity
from trainingrun_workers.patience import VOLUME_SECONDS, within
from trainingrun_workers.volume import make_folder

CHECK_SECONDS: Final = 0.5
STACK_SECONDS: Final = 2.0
FLIGHT_SECONDS: Final = 3.0
KEEP_SECONDS: Final = VOLUME_SECONDS
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
    prefix: str  # STAGE-aATTEMPT-nNODE

    @property
    def flights(self) -> Path:
        """Where all pods of the attempt keep what their flight recorders hold."""
        return self.stacks / f"{self.prefix.rpartition('-n')[0]}-flight"


@dataclass(frozen=True)
class Beat:
    """A rank's last sign of life."""

    rank: int
    step: int
    activity: Activity
    at: float  # seconds on the machine's monotonic clock


class Watchdog:
    """Looks at the heartbeats of this pod's ranks."""

    def __init__(self, folder: Path, rule: HangRule) -> None:
        self._folder = folder
        self._rule = rule
        self._due = 0.0

    def check(self) -> None:
        """Retry("Hang") when a rank was silent, or has written behind training, for too long; stacks are kept first."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + CHECK_SECONDS
        beats = sorted(_beats(self._folder), key=lambda one: (one.step, one.at))  # who is behind stands first
        if any(time.monotonic() - one.at > LIMITS[one.activity](self._rule.timeout) for one in beats):
            self._give_up(functools.partial(_silent, beats[0], time.monotonic() - beats[0].at))
        for write in background_writes(self._folder):
            if time.monotonic() - write.since > LIMITS[Activity.SAVING](self._rule.timeout):
                self._give_up(functools.partial(_late, write, time.monotonic() - write.since))

    def _give_up(self, words: Callable[[str | None], str]) -> NoReturn:
        """`words` makes a sentence's beginning of who is missing, by the flight recorders."""
        ranks = processes.ranks(self._folder)
        flights = Flights(self._folder, ranks)
        said = flights.ask(FLIGHT_SECONDS, lambda rank: not processes.is_stopped(ranks[rank]))
        missing = who_is_missing(said, ranks)
        self._ask_for_stacks()
        try:  # a volume that no longer answers may be why they hang
            kept = within(KEEP_SECONDS, lambda: self._keep_stacks() + self._keep_dumps(flights))
        except OSError as error:
            kept = f"their stacks could not be kept on the volume ({error})"
        raise Retry("Hang", f"{words(missing)}, longer than hangTimeout allows: {kept}.")

    def _keep_dumps(self, flights: Flights) -> str:
        """Keep what torchfrtrace reads, in one folder of all pods; yields where, as the end of a sentence."""
        found = flights.dumps()
        if not found:
            return ""
        make_folder(self._rule.flights)
        for name, path in found:
            shutil.copyfile(path, self._rule.flights / name)
        return f", and what torch's flight recorder holds of their collectives in {self._rule.flights.name} there"

    def _ask_for_stacks(self) -> None:
        for process in processes.ranks(self._folder).values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, STACK_SIGNAL)
                os.kill(process, signal.SIGCONT)  # a stopped process would not answer
        time.sleep(STACK_SECONDS)

    def _keep_stacks(self) -> str:
        written = [path for path in self._folder.glob("*.stacks") if path.stat().st_size]
        make_folder(self._rule.stacks)
        for path in written:
            shutil.copyfile(path, self._rule.stacks / f"{self._rule.prefix}-r{path.stem}.txt")
        return f"the stacks of {len(written)} ranks are in {self._rule.stacks}"


def _silent(behind: Beat, seconds: float, missing: str | None) -> str:
    activity = behind.activity.name.lower()
    return f"{missing or f'Rank {behind.rank} was silent'} for {seconds:.0f} s in step {behind.step + 1} ({activity})"


def _late(write: BackgroundWrite, seconds: float, _: str | None) -> str:
    return f"Checkpoint {write.step} has been written behind training for {seconds:.0f} s into {write.folder}"


def _beats(folder: Path) -> Iterator[Beat]:
    for path in folder.glob("*.beat"):
        data = path.read_bytes()
        if len(data) == BEAT.size:
            step, activity, then = BEAT.unpack(data)
            yield Beat(int(path.stem), step, Activity(activity), then)
