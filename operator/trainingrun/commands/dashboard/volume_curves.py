"""Whole curves off the runs' claims, read now and then by a pod that the user has asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from trainingrun.commands.dashboard.curves import LINES, Point
from trainingrun.commands.dashboard.threads import Errand
from trainingrun.commands.figures import TRAINED, measured, stages
from trainingrun.commands.manifest import CommandError

if TYPE_CHECKING:
    from trainingrun.commands.volume_visit import Visit

AGAIN_SECONDS: Final = 120.0  # after which the claim of a run that goes on is read again: each time makes a pod
FIRST_WAIT: Final = 0.0  # seconds that a look waits: a pod takes several to start

Visits = Callable[[str, str], "Visit"]  # of a namespace and a claim


class VolumeCurves:
    """Of one run: the points of each stage as they lay on the volume a while ago."""

    def __init__(self, visits: Visits) -> None:
        self.missing: str | None = None  # why the claim can't be read
        self.points: dict[str, list[Point]] = {}
        self._visits, self._errand = visits, Errand()
        self._due, self._read_of = 0.0, ""

    def look(self, raw: Mapping[str, Any]) -> None:
        """Have the claim read, where something may have come since and it is time; it is not waited for."""
        state = str([(one["name"], one["phase"], one.get("finishedAt")) for one in stages(raw, TRAINED)])
        runs = any(one["phase"] == "Running" for one in stages(raw, TRAINED))
        if time.monotonic() >= self._due and (runs or state != self._read_of):
            self._errand.start(lambda: self._read(raw, state), FIRST_WAIT)

    def _read(self, raw: Mapping[str, Any], state: str) -> None:
        namespace = raw["metadata"]["namespace"]
        try:
            (found,) = measured([raw], lambda claim: self._visits(namespace, claim))
        except CommandError as error:
            self.missing = str(error)
        else:
            series = {
                one["name"]: [(key, found.series(one["name"], key)) for key in LINES] for one in stages(raw, TRAINED)
            }
            self.points = {stage: _points(lines) for stage, lines in series.items()}
            self.missing, self._read_of = None, state
        self._due = time.monotonic() + AGAIN_SECONDS


def _points(lines: list[tuple[str, Any]]) -> list[Point]:
    made: dict[int, Point] = {}
    for key, points in lines:
        for step, value, _ in points:
            made.setdefault(step, {"step": step})[key] = value
    return [made[step] for step in sorted(made)]
