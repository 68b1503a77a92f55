"""Lines of pods' logs: read, put into one order, chosen and shown. Pure."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

GANGS: Final = ("pretrain", "sft", "dpo", "cpt", "prepare")  # kinds whose pods hold ranks
RANK: Final = re.compile(r"\[rank (\d+)\] ?")  # before each line that a rank has printed
COLOURS: Final = ("cyan", "magenta", "green", "yellow", "blue", "bright_red", "bright_cyan", "bright_magenta")
UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
SPAN: Final = re.compile(r"(\d+)([smhd])")


@dataclass(frozen=True)
class Source:
    """A pod, by what its log is called: the stage, the attempt and the pod's index in it."""

    stage: str
    attempt: int
    index: int

    @property
    def is_gang(self) -> bool:
        """Whether ranks print in it, besides the pod's main process."""
        return self.stage.split("-")[0] in GANGS


@dataclass(frozen=True)
class Line:
    """A line and where it is from; `rank` is None for what the main process of a gang's pod has printed."""

    time: float  # seconds since the epoch
    source: Source
    rank: int | None
    text: str

    @property
    def label(self) -> str:
        """Stage, attempt and rank, or in the rank's place p and the pod's index."""
        who = f"r{self.rank}" if self.rank is not None and self.source.is_gang else f"p{self.source.index}"
        return f"{self.source.stage} a{self.source.attempt} {who}"

    @property
    def colour(self) -> str:
        """The same for each line of a rank."""
        return COLOURS[(self.source.index if self.rank is None else self.rank) % len(COLOURS)]

    def document(self) -> dict[str, Any]:
        """The line as JSON has it."""
        return {
            "time": stamp(self.time), "stage": self.source.stage, "attempt": self.source.attempt,
            "pod": self.source.index, "rank": self.rank, "text": self.text,
        }  # fmt: skip


def stamp(seconds: float) -> str:
    """A time in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parsed(raw: str, source: Source, before: float) -> Line:
    """The line of `TIME text`; one without a time has that of the line `before` it."""
    head, _, text = raw.partition(" ")
    try:
        time = datetime.fromisoformat(head).timestamp()
    except ValueError:
        time, text = before, raw
    found = RANK.match(text) if source.is_gang else None
    if found:
        return Line(time, source, int(found[1]), text[found.end() :])
    return Line(time, source, None if source.is_gang else source.index, text)


def read(raw: Iterable[str], source: Source) -> Iterator[Line]:
    """A log's lines."""
    before = 0.0
    for one in raw:
        line = parsed(one, source, before)
        before = line.time
        yield line


def merged(logs: Iterable[Iterator[Line]]) -> Iterator[Line]:
    """The lines of several logs in the order of their times; each log's own order stays."""
    return heapq.merge(*map(_ascending, logs), key=lambda line: line.time)


def _ascending(log: Iterator[Line]) -> Iterator[Line]:
    """A log in which no line is older than one before it, as a clock that is set back makes it."""
    newest = 0.0
    for line in log:
        newest = max(newest, line.time)
        yield line if line.time == newest else Line(newest, line.source, line.rank, line.text)


def seconds(span: str) -> float:
    """The length of 30s, 10m, 2h or 3d; ValueError for anything else."""
    found = SPAN.fullmatch(span)
    if not found:
        raise ValueError(span)
    return float(found[1]) * UNITS[found[2]]
