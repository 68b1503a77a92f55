"""What each pod of a gang that hangs leaves on the volume, for the others: `<stacks>/pretrain-a3-n1.json`.

A pod sees its own ranks alone, so that it takes what all of them have left to tell which one is missing. Every pod
reads all of it and says the same, since nobody knows which pod's last words are heard first.
"""

import contextlib
import dataclasses
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from trainingrun_workers.flight_recorder import Flight
from trainingrun_workers.volume import write_atomic

MOST_BYTES: Final = 4 * 2**20  # of a pod's file that is read: 2,000 ranks in ten groups, eight of them in the pod
POLL_SECONDS: Final = 0.2


@dataclass(frozen=True)
class RankState:
    """What a pod knows of one of its ranks."""

    step: int = 0  # the last one that it ended
    activity: str = "starting"
    silent: float = 0.0  # seconds without a sign of life
    flight: Flight | None = None  # None where it did not answer


@dataclass(frozen=True)
class PodDump:
    """What a pod knows of its ranks that have started, by rank."""

    node: int  # the pod's place in its gang
    name: str  # of the node that it is on
    ranks: dict[int, RankState]

    def to_json(self) -> str:
        """As it lies on the volume."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_text(cls, text: str | bytes) -> Self | None:
        """What `to_json` wrote; None for what is torn."""
        try:
            raw = json.loads(text)
            states = {int(rank): _state(one) for rank, one in raw["ranks"].items()}
            return cls(int(raw["node"]), str(raw["name"]), states)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None


def _state(raw: Mapping[str, Any]) -> RankState:
    flight = None if raw["flight"] is None else Flight(**raw["flight"])
    return RankState(int(raw["step"]), str(raw["activity"]), float(raw["silent"]), flight)


@dataclass(frozen=True)
class Dumps:
    """The files of one attempt's pods: `<folder>/<attempt>-n<node>.json`."""

    folder: Path
    attempt: str  # STAGE-aATTEMPT
    nodes: int

    def leave(self, dump: PodDump) -> None:
        """Write a pod's file, whole or not at all."""
        write_atomic(self.folder / f"{self.attempt}-n{dump.node}.json", dump.to_json())

    def nodes_that_left_one(self) -> set[int]:
        """The pods whose files are there, by their nodes' numbers."""
        # Folders are listed, from the run's own on: NFS remembers for a minute that a file was not there, but asks the
        # server again for each folder that is opened.
        try:
            names = os.listdir(self.folder) if self.folder.name in os.listdir(self.folder.parent) else []
        except OSError:
            return set()
        return {node for node in range(self.nodes) if f"{self.attempt}-n{node}.json" in names}

    def gather(self, seconds: float) -> dict[int, PodDump | None]:
        """What the pods have left by their nodes' numbers, None for what can't be read.

        Once all have left theirs, or after so many seconds without some of them.
        """
        until, found = time.monotonic() + seconds, dict[int, PodDump | None]()
        while True:
            found |= {node: self._one(node) for node in self.nodes_that_left_one() if not found.get(node)}
            if all(found.get(node) for node in range(self.nodes)) or time.monotonic() >= until:
                return found
            time.sleep(POLL_SECONDS)

    def _one(self, node: int) -> PodDump | None:
        with contextlib.suppress(OSError), (self.folder / f"{self.attempt}-n{node}.json").open("rb") as file:
            return PodDump.from_text(file.read(MOST_BYTES))
        return None
