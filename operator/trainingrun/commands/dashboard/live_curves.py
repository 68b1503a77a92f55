"""The curves of one run as far as its pods' logs and its status tell of them, read bit by bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from trainingrun.api import names
from trainingrun.commands.dashboard.curves import Point, bounded, merged, of_log, of_status, spliced
from trainingrun.commands.dashboard.model import status_of
from trainingrun.commands.manifest import CommandError
from trainingrun.commands.refusals import UnreachableError
from trainingrun.stages.instances import GANG_KINDS

if TYPE_CHECKING:
    from trainingrun.commands.dashboard.reader import Reader

REPLICA: Final = "training.kubeflow.org/replica-type"  # rank 0, which logs the steps, is on the master
FIRST_LINES: Final = "20000"  # of a log that is read for the first time
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


class LiveCurves:
    """Of one run: points by stage, each look reads only what is new."""

    def __init__(self) -> None:
        self._logs: dict[str, PodLog] = {}
        self._reported: dict[str, list[Point]] = {}

    def read(self, reader: Reader, namespace: str, raw: Raw, pods: Sequence[Raw]) -> str | None:
        """Take what is new; a sentence where logs can't be read. UnreachableError where the cluster is lost."""
        gangs = {one.name: one for one in status_of(raw)[0].stages if one.kind in GANG_KINDS}
        for name, stage in gangs.items():
            self._reported[name] = bounded(spliced((self._reported.get(name, []), of_status(stage))))
        why: str | None = None
        for pod in pods:
            if (pod["metadata"].get("labels") or {}).get(names.LABEL_STAGE) in gangs and _has_rank_0(pod):
                try:
                    self._read_log(reader, namespace, pod)
                except UnreachableError:
                    raise
                except CommandError as error:
                    why = str(error)
        return why

    def points(self) -> dict[str, list[Point]]:
        """The points of each stage that has any."""
        stages = {*self._reported, *(one.stage for one in self._logs.values())}
        return {stage: found for stage in stages if (found := self._of(stage))}

    def _of(self, stage: str) -> list[Point]:
        logs = sorted((one for one in self._logs.values() if one.stage == stage), key=lambda one: one.attempt)
        logged = spliced(one.points for one in logs)
        return merged(self._reported.get(stage, ()), logged)

    def _read_log(self, reader: Reader, namespace: str, pod: Raw) -> None:
        metadata, phase = pod["metadata"], (pod.get("status") or {}).get("phase")
        labels = metadata["labels"]
        log = self._logs.setdefault(
            metadata["uid"], PodLog(labels[names.LABEL_STAGE], int(labels.get(names.LABEL_ATTEMPT, 0)))
        )
        if log.finished or phase not in ("Running", *ENDED):
            return
        query = {"timestamps": "true"} | ({"sinceTime": log.since} if log.since else {"tailLines": FIRST_LINES})
        lines = reader.log(namespace, metadata["name"], query)
        log.points = bounded(merged(log.points, of_log(lines)))
        log.since = lines[-1].partition(" ")[0] if lines else log.since
        log.finished = phase in ENDED


def _has_rank_0(pod: Raw) -> bool:
    return bool((pod["metadata"].get("labels") or {}).get(REPLICA, "master") == "master")
