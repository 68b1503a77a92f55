"""The logs of pods that are in the cluster now, and of those that come while one looks."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from trainingrun.api import names
from trainingrun.cluster.kinds import POD
from trainingrun.commands.logs.choice import ALL, Choice, container, has_log, pod_source
from trainingrun.commands.logs.lines import Line, Source, parsed, read, stamp
from trainingrun.commands.manifest import CommandError
from trainingrun.commands.refusals import AbsentError, UnreachableError

if TYPE_CHECKING:
    from trainingrun.commands.access import Cluster

LOOK_SECONDS: Final = 2.0  # between two looks for new pods
HOLD_SECONDS: Final = 0.7  # that a line is held back, for older ones of other pods that are still on their way
RECONNECT_SECONDS: Final = 1.0
LAST_TRIES: Final = 3  # to read the log of a pod that has ended and whose node doesn't answer
ENDED: Final = ("Succeeded", "Failed")

Pod = Mapping[str, Any]


def pods(cluster: Cluster, run: str, choice: Choice) -> dict[str, tuple[Source, Pod]]:
    """The pods with a log that are meant, by their names."""
    found: dict[str, tuple[Source, Pod]] = {}
    for pod in cluster.listed(POD, f"{names.LABEL_RUN}={run}"):
        source = pod_source(pod)
        if source is not None and choice.has(source) and has_log(pod):
            found[str(pod["metadata"]["name"])] = (source, pod)
    return found


def log(cluster: Cluster, name: str, source: Source, pod: Pod, since: float | None) -> Iterator[Line]:
    """A pod's log as it is now; nothing where the pod has gone meanwhile."""
    options = {"timestamps": "true", "container": container(pod)} | ({"sinceTime": stamp(since)} if since else {})
    try:
        yield from read(cluster.log_lines(name, **options), source)
    except AbsentError:
        return


@dataclass
class Following:
    """The lines of all pods of a run that are meant, also of those that come later, until what is meant has ended."""

    cluster: Cluster
    run: str
    choice: Choice
    clock: Callable[[], float] = time.monotonic
    _came: queue.SimpleQueue[Line | CommandError] = field(default_factory=queue.SimpleQueue)
    _listeners: dict[str, threading.Thread] = field(default_factory=dict)
    _held: list[tuple[float, int, float, Line]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def lines(self) -> Iterator[Line]:
        """The lines in the order of their times, as far as they are not held up for longer than HOLD_SECONDS."""
        due = 0.0
        while True:
            ended = False
            if self.clock() >= due:
                with contextlib.suppress(UnreachableError):  # the next look may be answered again
                    ended = self._over()
                    self._listen_to_new_pods()
                due = self.clock() + LOOK_SECONDS
            if ended and not any(one.is_alive() for one in self._listeners.values()):
                yield from self._released(everything=True)
                return
            self._take(until=self.clock() + HOLD_SECONDS / 2)
            yield from self._released()

    def _over(self) -> bool:
        """Whether nothing more of what is meant can come."""
        status = self.cluster.run(self.run).get("status") or {}
        stage = next((one for one in status.get("stages") or () if one["name"] == self.choice.stage), None)
        if status.get("phase") in ENDED or (stage or {}).get("phase") in ENDED:
            return True
        number = self.choice.attempt
        if number in (None, ALL):
            return False
        mine = [one for one in status.get("attempts") or () if self.choice.has(Source(one["stage"], one["number"], 0))]
        return bool(mine) and all(one.get("endedAt") for one in mine)

    def _listen_to_new_pods(self) -> None:
        for name, (source, pod) in pods(self.cluster, self.run, self.choice).items():
            key = f"{name} {pod['metadata'].get('uid')}"
            if key not in self._listeners:
                made = threading.Thread(target=self._listen, args=(name, source, container(pod)), daemon=True)
                self._listeners[key] = made
                made.start()

    def _listen(self, name: str, source: Source, which: str) -> None:
        """One pod's log to its end, without a line twice where the connection is lost on the way."""
        since, last, known = self.choice.since, 0.0, set[str]()
        tries = LAST_TRIES
        while tries:
            options = {"timestamps": "true", "follow": "true", "container": which}
            options |= {"sinceTime": stamp(since)} if since else {}
            lost = False
            try:
                for raw in self.cluster.log_lines(name, **options):
                    line = parsed(raw, source, last)
                    if line.time < last or (line.time == last and raw in known):
                        continue
                    known = known | {raw} if line.time == last else {raw}
                    last = since = line.time
                    self._came.put(line)
            except UnreachableError:
                lost = True
            except AbsentError:
                return
            except CommandError as error:
                self._came.put(error)
                return
            if not self._runs(name):
                tries = tries - 1 if lost else 0
            time.sleep(RECONNECT_SECONDS if tries else 0)

    def _runs(self, name: str) -> bool:
        try:
            return (self.cluster.get(POD, name).get("status") or {}).get("phase") not in ENDED
        except AbsentError:
            return False
        except UnreachableError:
            return True

    def _take(self, until: float) -> None:
        """Take what has come in."""
        while (left := until - self.clock()) > 0:
            try:
                line = self._came.get(timeout=left)
            except queue.Empty:
                return
            if isinstance(line, CommandError):
                raise line
            heapq.heappush(self._held, (line.time, next(self._numbers), self.clock(), line))

    def _released(self, everything: bool = False) -> Iterator[Line]:
        """What was held back long enough, and what is older than it."""
        if everything:
            while not self._came.empty():
                self._take(self.clock() + 0.01)
        until = self.clock() - HOLD_SECONDS
        ripe = max((time for time, _, came, _ in self._held if came <= until), default=None)
        while self._held and (everything or (ripe is not None and self._held[0][0] <= ripe)):
            yield heapq.heappop(self._held)[3]
