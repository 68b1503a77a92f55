"""What the pages are given: models of what was read last, kept while the cluster can't be reached."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from trainingrun.commands.dashboard.live_curves import LiveCurves
from trainingrun.commands.dashboard.model import overview, run_view
from trainingrun.commands.dashboard.threads import in_thread
from trainingrun.commands.dashboard.volume_curves import Visits, VolumeCurves
from trainingrun.commands.manifest import CommandError
from trainingrun.commands.refusals import UnreachableError

if TYPE_CHECKING:
    from trainingrun.commands.dashboard.reader import Reader

FRESH_SECONDS: Final = 1.5  # how old an answer may be: several tabs are one reader
REST: Final = 10.0  # times as long as a reading took: of thousands of runs one takes seconds
REMEMBERED: Final = 50  # runs
MOST_LINES: Final = 2000
LINE: Final = 2000  # characters of a log's line

Model = dict[str, Any]


@dataclass
class Shown:
    """What was read last of one thing, and what is wrong since."""

    model: Model | None = None
    seen: float = 0.0  # when it was read, seconds since the epoch
    trouble: str | None = None
    since: float = 0.0  # when the trouble began
    due: float = float("-inf")  # when it may be read again, by the loop's clock
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def document(self) -> Model:
        """What the page gets."""
        trouble = {"message": self.trouble, "since": self.since} if self.trouble else None
        return {"model": self.model, "seen": self.seen, "trouble": trouble}


class Board:
    """Reads for the pages what they ask for, no oftener than needed."""

    def __init__(
        self,
        reader: Reader,
        namespace: str | None,
        now: Callable[[], float] = time.time,
        visits: Visits | None = None,
    ) -> None:
        """Of one namespace, or of all for None; with `visits` curves are read off the claims as well."""
        self._reader, self.namespace, self._now = reader, namespace, now
        self._all = Shown()
        self._runs: dict[tuple[str, str], Shown] = {}
        self._curves: dict[str, LiveCurves] = {}
        self._volumes: dict[str, VolumeCurves] = {}
        self._visits = visits

    async def overview(self) -> Model:
        """All runs."""
        return await self._fresh(self._all, self._read_all)

    async def run(self, namespace: str, name: str) -> Model:
        """One run; its model is None where there is none, and there is no trouble."""
        shown = self._runs.setdefault((namespace, name), Shown())
        _forget(self._runs)
        return await self._fresh(shown, lambda: self._read_run(namespace, name))

    async def log(self, namespace: str, name: str, pod: str, lines: int) -> Model:
        """The last lines of a pod of a run, or why there are none."""
        shown = self._runs.get((namespace, name))
        known = {one["name"] for one in (shown.model or {}).get("pods", ())} if shown is not None else set()
        if pod not in known:
            return {"lines": [], "missing": f"The run {name} has no pod {pod} any more."}
        query = {"tailLines": str(max(1, min(lines, MOST_LINES)))}
        try:
            found = await in_thread(lambda: self._reader.log(namespace, pod, query))
        except CommandError as error:
            return {"lines": [], "missing": str(error)}
        return {"lines": [line[:LINE] for line in found], "missing": None}

    async def _fresh(self, shown: Shown, read: Callable[[], Model | None]) -> Model:
        clock = asyncio.get_running_loop().time
        async with shown.lock:
            if clock() >= shown.due:
                began = clock()
                try:
                    shown.model, shown.trouble = await in_thread(read), None
                    shown.seen = self._now()
                except CommandError as error:
                    shown.since = shown.since if shown.trouble else self._now()
                    shown.trouble = str(error)
                shown.due = clock() + max(FRESH_SECONDS, REST * (clock() - began) if not shown.trouble else 0.0)
            return shown.document()

    def _read_all(self) -> Model:
        return {**overview(self._reader.runs(self.namespace)), "namespace": self.namespace}

    def _read_run(self, namespace: str, name: str) -> Model | None:
        raw = self._reader.run(namespace, name)
        if raw is None:
            return None
        missing: dict[str, str] = {}
        uid = raw["metadata"]["uid"]
        events = _part("events", lambda: self._reader.events(namespace, uid), missing)
        pods = _part("pods", lambda: self._reader.pods(namespace, name), missing)
        curves = self._curves.setdefault(uid, LiveCurves())
        curves.look(self._reader, namespace, raw, pods)
        _forget(self._curves)
        volume = self._volume_of(raw)
        why = volume.missing if volume is not None else curves.missing
        if why:
            missing["curves"] = why
        points = curves.points(volume.points if volume is not None else {})
        return run_view(raw, self._now(), events, pods, points, missing)

    def _volume_of(self, raw: Model) -> VolumeCurves | None:
        if self._visits is None:
            return None
        volume = self._volumes.setdefault(raw["metadata"]["uid"], VolumeCurves(self._visits))
        _forget(self._volumes)
        volume.look(raw)
        return volume


def _part(part: str, read: Callable[[], list[Model]], missing: dict[str, str]) -> list[Model]:
    """A part that the user may have no right to read: the rest is shown all the same."""
    try:
        return read()
    except UnreachableError:
        raise
    except CommandError as error:
        missing[part] = str(error)
        return []


def _forget(known: dict[Any, Any]) -> None:
    """Let go of what was looked at longest ago, where it is too much."""
    for key in list(known)[:-REMEMBERED]:
        known.pop(key, None)
