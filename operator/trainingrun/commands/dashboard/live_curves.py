"""The curves of one run as far as its pods' logs and its status tell of them, read bit by bit."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from trainingrun.api import names
from trainingrun.commands.dashboard.curves import Point, bounded, merged, of_log, of_status, spliced
from trainingrun.commands.dashboard.model import status_of
from trainingrun.commands.dashboard.threads import Errand
from trainingrun.commands.manifest import CommandError
from trainingrun.stages.instances import GANG_KINDS

if TYPE_CHECKING:
    from trainingrun.commands.dashboard.reader import Reader

REPLICA: Final = "training.kubeflow.org/replica-type"  # rank 0, which logs the steps, is on the master
FIRST_LINES: Final = "20000"  # of a log that is read for the first time
WAIT_SECONDS: Final = 1.0  # that a look waits for logs
AGAIN_SECONDS: Final = 30.0  # after which a log that could not be read is tried again
ENDED: Final = ("Succeeded", "Failed")

Raw = Mapping[str, Any]


@dataclass
class PodLog:
    """What was read of one pod's log."""

    stage: str
    attempt: int
    points: list[Point] = field(default_factory=list)
    since: str | None = None  # time of the last line that was read
    finished: bool = False  # nothing will come any more
    not_before: float = 0.0  # when it is tried again after a failure


class LiveCurves:
    """Of one run: points by stage; each look reads only what is new."""

    def __init__(self) -> None:
        self.missing: str | None = None  # why logs can't be read
        self._logs: dict[str, PodLog] = {}
        self._reported: dict[str, list[Point]] = {}
        self._errand = Errand()

    def look(self, reader: Reader, namespace: str, raw: Raw, pods: Sequence[Raw]) -> None:
        """Take the newest reports, and have logs read: a node that does not answer keeps nobody waiting for long."""
        gangs = {one.name: one for one in status_of(raw)[0].stages if one.kind in GANG_KINDS}
        for name, stage in gangs.items():
            self._reported[name] = bounded(spliced((self._reported.get(name, []), of_status(stage))))
        wanted = [pod for pod in pods if _stage(pod) in gangs and _has_rank_0(pod)]
        self._errand.start(lambda: self._read(reader, namespace, wanted), WAIT_SECONDS)

    def _read(self, reader: Reader, namespace: str, pods: Sequence[Raw]) -> None:
        why: str | None = None
        for pod in pods:
            try:
                self._read_log(reader, namespace, pod)
            except CommandError as error:
                why = str(error)
                self._log(pod).not_before = time.monotonic() + AGAIN_SECONDS
        self.missing = why or (self.missing if any(one.not_before for one in self._logs.values()) else None)

    def points(self, volume: Mapping[str, Sequence[Point]]) -> dict[str, list[Point]]:
        """The points of each stage that has any; `volume` is what lay on the volume a while ago."""
        stages = {*volume, *self._reported, *(one.stage for one in list(self._logs.values()))}
        return {stage: found for stage in stages if (found := self._of(stage, volume.get(stage, ())))}

    def _of(self, stage: str, volume: Sequence[Point]) -> list[Point]:
        logs = sorted((one for one in list(self._logs.values()) if one.stage == stage), key=lambda one: one.attempt)
        whole = spliced([volume, *(one.points for one in logs)])
        return merged(self._reported.get(stage, ()), whole)

    def _log(self, pod: Raw) -> PodLog:
        labels = pod["metadata"]["labels"]
        known = PodLog(labels[names.LABEL_STAGE], int(labels.get(names.LABEL_ATTEMPT, 0)))
        return self._logs.setdefault(pod["metadata"]["uid"], known)

    def _read_log(self, reader: Reader, namespace: str, pod: Raw) -> None:
        log, phase = self._log(pod), (pod.get("status") or {}).get("phase")
        if log.finished or phase not in ("Running", *ENDED) or time.monotonic() < log.not_before:
            return
        query = {"timestamps": "true"} | ({"sinceTime": log.since} if log.since else {"tailLines": FIRST_LINES})
        lines = reader.log(namespace, pod["metadata"]["name"], query)
        log.points = bounded(merged(log.points, of_log(lines)))
        log.since = lines[-1].partition(" ")[0] if lines else log.since
        log.finished, log.not_before = phase in ENDED, 0.0


def _stage(pod: Raw) -> str | None:
    return (pod["metadata"].get("labels") or {}).get(names.LABEL_STAGE)


def _has_rank_0(pod: Raw) -> bool:
    return bool((pod["metadata"].get("labels") or {}).get(REPLICA, "master") == "master")
