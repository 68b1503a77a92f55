"""How far all pods are together, as the volume shows it, and how long it will still take."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.contract import COMPLETE_COUNT, COMPLETE_MARKER
from trainingrun_workers.reporting import Reporter
from trainingrun_workers.tokenization.counts import RECORD_KEYS, Counts
from trainingrun_workers.tokenization.plan import Unit
from trainingrun_workers.tokenization.records import RECORD_SUFFIX, TokenFolder

LOOK_SECONDS: Final = 2.0  # between looks at the volume
OF_A_SOURCE: Final = ("tokens", "documents", "specialTokens", "empty", "broken", "filtered")
# What the user should know of, by the name of a count: each of these documents is in the data, or left out of it.
NOTES: Final = {
    "documentsWithEndOfText": "{:,} documents hold the end-of-text token as text: each is cut there as if it were two.",
    "specialTokens": "{:,} documents hold another special token as text, which became that token.",
    "broken": "{:,} documents are broken (no UTF-8, no JSON or no text key) and are left out.",
}

Work = tuple[TokenFolder, Unit]


class Progress:
    """Reports units done by all pods, their counts and this pod's rate, at most every LOOK_SECONDS.

    The counts of all sources have the names of a unit's record, those of a source its own name and a point before. So
    has COMPLETE_COUNT, which is 1 once the source's folder is complete: other runs that wait for it need wait no more.
    `textBytesPerSecond` is this pod's.
    """

    def __init__(
        self,
        work: Sequence[Work],
        pods: int,
        reporter: Reporter,
        notes: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open = {(tokens.folder, unit.index): (tokens, unit) for tokens, unit in work}
        self._total = len(self._open)
        self._pods = pods
        self._reporter = reporter
        self._fixed_notes = tuple(notes)
        self._clock = clock
        self._begun = clock()
        self._looked = float("-inf")
        self._own = 0  # bytes of text in units that this pod has finished
        folders = {one.folder: one for one, _ in work}.values()
        self._done = {one.folder: dict.fromkeys(RECORD_KEYS.values(), 0) for one in folders}
        self._names = {one.folder: one.spec.name for one in folders}
        self._estimated = float(sum(one.plan.estimated_tokens for one in folders))

    def note(self, text: str) -> None:
        """Show a sentence from now on."""
        self._fixed_notes = tuple(dict.fromkeys((*self._fixed_notes, text)))

    def making(self, tokens: TokenFolder, unit: Unit) -> None:
        """This pod begins a unit."""
        self._reporter.update(activity=f"tokenizing {tokens.spec.name}, shard {unit.index + 1} of {len(tokens.units)}")
        self.look()

    def batch(self, counts: Counts) -> None:
        """This pod has made one more batch of its unit."""
        if self._clock() - self._looked >= LOOK_SECONDS:
            self.look(counts)

    def made(self, record: dict[str, Any]) -> None:
        """This pod has finished a unit."""
        self._own += record["textBytes"]
        self.look()

    def is_made(self, tokens: TokenFolder) -> bool:
        """Whether the last look has shown all of a source's units done."""
        return all(folder != tokens.folder for folder, _ in self._open)

    def look(self, current: Counts | None = None) -> None:
        """Look at the volume and report; `current` is what this pod has made of its unit so far."""
        listed = {folder: _names(folder) for folder, _ in self._open}
        for key, (tokens, unit) in list(self._open.items()):
            if unit.name in listed[tokens.folder] and (record := tokens.record(unit)) is not None:
                del self._open[key]
                done = self._done[tokens.folder]
                done.update({name: value + record[name] for name, value in done.items()})
        self._looked = self._clock()
        total = {name: sum(one[name] for one in self._done.values()) for name in RECORD_KEYS.values()}
        rates = self._rates(current, total)
        each = {
            f"{self._names[folder]}.{name}": float(done[name])
            for folder, done in self._done.items()
            for name in OF_A_SOURCE
        } | {f"{name}.{COMPLETE_COUNT}": 1.0 for name in self._complete()}
        speed = {"textBytesPerSecond": rates.pop("text_bytes_per_second")} if rates else {}
        self._reporter.update(
            step=self._total - len(self._open), total=self._total, unit="shards", tokens=total["tokens"],
            counts={"estimatedTokens": self._estimated, **total, **each, **speed}, notes=self._notes(total), **rates,
        )  # fmt: skip

    def _complete(self) -> Iterator[str]:
        """Names of the sources whose folders are complete."""
        going_on = {folder for folder, _ in self._open}
        for folder, name in self._names.items():
            if folder not in going_on and (folder / COMPLETE_MARKER).exists():
                yield name

    def _rates(self, current: Counts | None, total: dict[str, int]) -> dict[str, float]:
        """This pod's rates, and when all pods will be done if each of them is as fast."""
        seconds = self._looked - self._begun
        own = self._own + (current.text_bytes if current else 0)
        measured = total["textBytes"] + (current.text_bytes if current else 0)
        if not own or seconds <= 0:
            return {}
        left = sum(unit.text_bytes for _, unit in self._open.values())
        left = max(0, left - (current.text_bytes if current else 0))
        pods = max(1, min(self._pods, len(self._open)))
        density = (total["tokens"] + (current.tokens if current else 0)) / measured
        speed = own / seconds
        return {
            "text_bytes_per_second": speed, "tokens_per_second": speed * density, "eta_seconds": left / (speed * pods),
        }  # fmt: skip

    def _notes(self, total: dict[str, int]) -> tuple[str, ...]:
        return (*self._fixed_notes, *(text.format(total[name]) for name, text in NOTES.items() if total[name]))


def _names(folder: Path) -> frozenset[str]:
    """The units that seem done: one listing instead of a look at each of many thousands."""
    try:
        return frozenset(
            name.removesuffix(RECORD_SUFFIX) for name in os.listdir(folder) if name.endswith(RECORD_SUFFIX)
        )
    except FileNotFoundError:
        return frozenset()
