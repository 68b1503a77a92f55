"""Which pods' logs are meant, and where each of them is read: in the cluster or on the volume. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainingrun.api import names
from trainingrun.cluster.views import COMPLETION_INDEX, REPLICA_INDEX, REPLICA_TYPE
from trainingrun.commands.logs.lines import Line, Source
from trainingrun.manifests.pod import WORKER_CONTAINER

ALL = "all"


@dataclass(frozen=True)
class Choice:
    """What was asked for; None means no bound."""

    stage: str | None = None
    attempt: int | str | None = None  # a number, or ALL
    rank: int | None = None
    since: float | None = None  # seconds since the epoch

    @property
    def of_now(self) -> bool:
        """Whether the pods that there are now are enough: nothing says which."""
        return self.stage is None and self.attempt is None and self.since is None

    def has(self, source: Source) -> bool:
        """Whether a pod is of the stage and the attempt."""
        fits = self.attempt in (None, ALL) or source.attempt == self.attempt
        return fits and self.stage in (None, source.stage)

    def shows(self, line: Line) -> bool:
        """Whether a line is of the rank and not too old."""
        return self.rank in (None, line.rank) and (self.since is None or line.time >= self.since)


def pod_source(pod: Mapping[str, Any]) -> Source | None:
    """Where a pod belongs, by its labels; None for one that is no pod of an attempt."""
    labels = pod["metadata"].get("labels") or {}
    told = {**labels, **(pod["metadata"].get("annotations") or {})}
    try:
        return Source(labels[names.LABEL_STAGE], int(labels[names.LABEL_ATTEMPT]), _index(told))
    except (KeyError, ValueError):
        return None


def _index(told: Mapping[str, str]) -> int:
    """The index in an Indexed Job, or the node's rank in a gang: the master's is 0, of the workers the first has 1."""
    if COMPLETION_INDEX in told:
        return int(told[COMPLETION_INDEX])
    return int(told.get(REPLICA_INDEX, "0")) + (told.get(REPLICA_TYPE, "").lower() == "worker")


def container(pod: Mapping[str, Any]) -> str:
    """The name of the container that works, beside those that a cluster may have added."""
    found = [str(one["name"]) for one in pod["spec"]["containers"]]
    return next((one for one in found if one in (WORKER_CONTAINER, names.PYTORCH_CONTAINER)), found[0])


def has_log(pod: Mapping[str, Any]) -> bool:
    """Whether a pod's container has run, so that it has a log."""
    states = [one.get("state") or {} for one in (pod.get("status") or {}).get("containerStatuses") or ()]
    return any("running" in state or "terminated" in state for state in states)


def newest(sources: Iterable[Source], choice: Choice) -> list[Source]:
    """Those that are meant: of each stage its newest attempt, unless an attempt or a time was named."""
    fitting = [one for one in sources if choice.has(one)]
    if choice.attempt is not None or choice.since is not None:
        return fitting
    last: dict[str, int] = {}
    for one in fitting:
        last[one.stage] = max(last.get(one.stage, 0), one.attempt)
    return [one for one in fitting if one.attempt == last[one.stage]]


def kept(logs: Sequence[Mapping[str, Any]], choice: Choice, live: Iterable[Source]) -> list[tuple[Source, str]]:
    """The files on the volume that are meant, older halves first, without those of pods that are still there."""
    there = set(live)
    found = [(Source(one["stage"], one["attempt"], one["index"]), str(one["file"])) for one in logs]
    meant = set(newest([*(source for source, _ in found), *there], choice)) - there
    return [(source, file) for source, file in found if source in meant]
