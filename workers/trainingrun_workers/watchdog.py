"""Notices ranks that no longer step, and keeps what tells why before they are ended."""

import contextlib
import json
import logging
import os
import re
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from trainingrun_workers import processes
from trainingrun_workers.background_write import BackgroundWrite, background_writes
from trainingrun_workers.contract import NODE_VARIABLE
from trainingrun_workers.errors import Retry
from trainingrun_workers.flight_recorder import Flight, Flights
from trainingrun_workers.hangs.dumps import Dumps, PodDump, RankState
from trainingrun_workers.hangs.finding import Sight, find
from trainingrun_workers.launched import BEAT, STACK_SIGNAL, Activity
from trainingrun_workers.patience import VOLUME_SECONDS, within
from trainingrun_workers.volume import make_folder

CHECK_SECONDS: Final = 0.5
STACK_SECONDS: Final = 2.0
FLIGHT_SECONDS: Final = 3.0  # to say how far a rank has come, and again for its record
GATHER_SECONDS: Final = 10.0  # that the other pods have to leave what they know, from when this one has
KEEP_SECONDS: Final = VOLUME_SECONDS
# Attempts of a stage whose flight records stay: a record of 2000 collectives is a third of a megabyte.
KEPT_FLIGHTS: Final = 3
NODES_FILE: Final = "nodes.json"
LOGGER: Final = logging.getLogger(__name__)
# Compilation and the first collective take longer than a step; saving and loading are bound by the volume.
LIMITS: Final[dict[Activity, Callable[[float], float]]] = {
    Activity.STARTING: lambda timeout: max(3 * timeout, 600.0),
    Activity.LOADING: lambda timeout: max(10 * timeout, 3600.0),
    Activity.TRAINING: lambda timeout: timeout,
    Activity.SAVING: lambda timeout: max(10 * timeout, 3600.0),
}


@dataclass(frozen=True)
class HangRule:
    """How long a rank may go without a step, and where its stack is kept: `<stacks>/<attempt>-n<node>-r<rank>.txt`."""

    timeout: float
    stacks: Path
    attempt: str  # STAGE-aATTEMPT
    node: int = 0  # the pod's place in its gang
    nodes: int = 1
    ranks_per_node: int = 1
    preflight: float = 0.0  # seconds that a pre-flight may take, which ends itself and knows better who is behind

    def limit(self, activity: Activity) -> float:
        """Seconds after which a rank that is at this hangs."""
        return LIMITS[activity](self.timeout) + (self.preflight if activity == Activity.STARTING else 0.0)

    @property
    def flights(self) -> Path:
        """Where all pods of the attempt keep what their flight recorders hold."""
        return self.stacks / f"{self.attempt}-flight"

    @property
    def dumps(self) -> Dumps:
        """Where each pod leaves what it knows, for the others."""
        return Dumps(self.stacks, self.attempt, self.nodes)


@dataclass(frozen=True)
class Beat:
    """A rank's last sign of life."""

    rank: int
    step: int
    activity: Activity
    at: float  # seconds on the machine's monotonic clock


def name_nodes(folder: Path, nodes: list[str]) -> None:
    """Tell this pod's main process what nodes the ranks of the gang are on, by rank."""
    temporary = folder / f"{NODES_FILE}.tmp"
    temporary.write_text(json.dumps(nodes))
    temporary.replace(folder / NODES_FILE)


class Watchdog:
    """Looks at the heartbeats of this pod's ranks."""

    def __init__(self, folder: Path, rule: HangRule) -> None:
        self._folder = folder
        self._rule = rule
        self._due = 0.0

    def check(self) -> None:
        """Retry("Hang") when a rank was silent, or has written behind training, for too long, or another pod gave up.

        By then the stacks of this pod's ranks are kept, and what the ranks of all pods wait in is told.
        """
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + CHECK_SECONDS
        beats = list(_beats(self._folder))
        if any(time.monotonic() - one.at > self._rule.limit(one.activity) for one in beats):
            self._give_up()
        for write in background_writes(self._folder):
            if time.monotonic() - write.since > self._rule.limit(Activity.SAVING):
                self._give_up(write)
        # What lies on the volume is only looked at by a pod that may hang itself: one whose ranks save for long may not
        # notice for an hour what the others wait for.
        quiet = any(time.monotonic() - one.at > self._rule.timeout / 2 for one in beats)
        if self._rule.nodes > 1 and quiet and self._another_gave_up():
            self._give_up()

    def _another_gave_up(self) -> bool:
        try:
            return bool(within(KEEP_SECONDS, self._rule.dumps.nodes_that_left_one))
        except OSError:
            return False

    def _give_up(self, late: BackgroundWrite | None = None) -> NoReturn:
        late_for = 0.0 if late is None else time.monotonic() - late.since
        beats, ranks = {one.rank: one for one in _beats(self._folder)}, processes.ranks(self._folder)
        flights = Flights(self._folder, ranks)
        said = flights.ask(FLIGHT_SECONDS, lambda rank: not processes.is_stopped(ranks[rank]))
        states = {rank: _state(beats.get(rank), said.get(rank)) for rank in {*beats, *ranks}}
        own = PodDump(self._rule.node, node_name(), states)
        dumps: dict[int, PodDump | None] = {}
        kept = f"stacks and records of the ranks are in {self._rule.stacks}, as {self._rule.attempt}-*"
        try:  # a volume that no longer answers may be why they hang
            # Before stacks are asked for, which wakes stopped ranks: the gang may go on then, unnoticed by other pods.
            dumps = within(KEEP_SECONDS, lambda: self._exchange(own))
            self._ask_for_stacks()
            within(KEEP_SECONDS, lambda: self._keep(flights))
        except OSError as error:
            kept = f"their stacks could not be kept on the volume ({error})"
        if late is None:
            words = self._words(Sight(dumps | {own.node: own}, self._names(), self._rule.ranks_per_node))
        else:
            words = _late(late, late_for), ""
        raise Retry("Hang", f"{words[0]}, longer than hangTimeout allows{words[1]}: {kept}.")

    def _exchange(self, own: PodDump) -> dict[int, PodDump | None]:
        """Leave what this pod knows, and wait for a while for what the others do."""
        try:
            self._rule.dumps.leave(own)
        except OSError as error:  # without it the sentence is told all the same
            LOGGER.warning("What this pod knows of its hang could not be written: %s", error)
        return self._rule.dumps.gather(GATHER_SECONDS) if self._rule.nodes > 1 else {}

    def _words(self, sight: Sight) -> tuple[str, str]:
        """Who is missing for how long, and what else is to be said."""
        found = find(sight)
        state = sight.states.get(found.rank, RankState()) if found.rank is not None else RankState()
        return f"{found.said} for {state.silent:.0f} s in step {state.step + 1} ({state.activity})", found.more

    def _names(self) -> tuple[str, ...]:
        """The nodes' names as the ranks know them, "" where they had not met yet."""
        try:
            by_rank = json.loads((self._folder / NODES_FILE).read_text())
            return tuple(by_rank[:: self._rule.ranks_per_node])
        except FileNotFoundError:
            return ("",) * self._rule.nodes

    def _ask_for_stacks(self) -> None:
        for process in processes.ranks(self._folder).values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, STACK_SIGNAL)
                os.kill(process, signal.SIGCONT)  # a stopped process would not answer
        time.sleep(STACK_SECONDS)

    def _keep(self, flights: Flights) -> None:
        """Keep the stacks, and what torchfrtrace reads in one folder of all pods: that of the newest attempts alone."""
        make_folder(self._rule.stacks)
        for path in self._folder.glob("*.stacks"):
            if path.stat().st_size:
                name = f"{self._rule.attempt}-n{self._rule.node}-r{path.stem}.txt"
                shutil.copyfile(path, self._rule.stacks / name)
        found = flights.dumps(FLIGHT_SECONDS)
        if found:
            make_folder(self._rule.flights)
        for name, path in found:
            shutil.copyfile(path, self._rule.flights / name)
        if self._rule.node == 0:
            for old in _flights_of(self._rule)[:-KEPT_FLIGHTS]:
                shutil.rmtree(old, ignore_errors=True)


def _late(write: BackgroundWrite, seconds: float) -> str:
    return f"Checkpoint {write.step} has been written behind training for {seconds:.0f} s into {write.folder}"


def _flights_of(rule: HangRule) -> list[Path]:
    """The folders of flight records of a stage, by attempt."""
    stage = re.escape(rule.attempt.rpartition("-a")[0])
    found = [(re.fullmatch(rf"{stage}-a(\d+)-flight", path.name), path) for path in rule.stacks.iterdir()]
    return [path for _, path in sorted((int(match[1]), path) for match, path in found if match)]


def node_name() -> str:
    """The node that this pod is on, by its name in the cluster where it knows it."""
    return os.environ.get(NODE_VARIABLE) or socket.gethostname()


def _state(beat: Beat | None, flight: Flight | None) -> RankState:
    if beat is None:
        return RankState(flight=flight)
    return RankState(beat.step, beat.activity.name.lower(), round(time.monotonic() - beat.at, 1), flight)


def _beats(folder: Path) -> Iterator[Beat]:
    for path in folder.glob("*.beat"):
        data = path.read_bytes()
        if len(data) == BEAT.size:
            step, activity, then = BEAT.unpack(data)
            yield Beat(int(path.stem), step, Activity(activity), then)
