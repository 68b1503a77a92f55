"""How far all pods are together, as the volume shows it, and how long it will still take."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.reporting import Reporter
from trainingrun_workers.tokenization.plan import Shard
from trainingrun_workers.tokenization.records import RECORD_SUFFIX, Counts, TokenFolder

LOOK_SECONDS: Final = 2.0  # between looks at the volume

Work = tuple[TokenFolder, Shard]


class Progress:
    """Reports shards done by all pods, tokens and rate, at most every LOOK_SECONDS however often it is told."""

    def __init__(
        self, work: Sequence[Work], pods: int, reporter: Reporter, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._open = {(tokens.folder, shard.index): (tokens, shard) for tokens, shard in work}
        self._total = len(self._open)
        self._pods = pods
        self._reporter = reporter
        self._clock = clock
        self._begun = clock()
        self._looked = float("-inf")
        self._done = {"tokens": 0, "documents": 0, "textBytes": 0, "documentsWithEndOfText": 0}
        self._own_bytes = 0  # of text, in shards that this pod has finished
        self._estimated = {
            "estimatedTokens": float(sum(one.estimated_tokens for one in {t.folder: t for t, _ in work}.values()))
        }

    def making(self, tokens: TokenFolder, shard: Shard) -> None:
        """This pod begins a shard."""
        self._reporter.update(
            activity=f"tokenizing {tokens.spec.name}, shard {shard.index + 1} of {len(tokens.shards)}"
        )
        self.look()

    def document(self, counts: Counts) -> None:
        """This pod has read one more document of its shard."""
        if self._clock() - self._looked >= LOOK_SECONDS:
            self.look(counts)

    def made(self, record: dict[str, Any]) -> None:
        """This pod has finished a shard."""
        self._own_bytes += record["textBytes"]
        self.look()

    def look(self, current: Counts | None = None) -> None:
        """Look at the volume and report; `current` is what this pod has read of the shard it is making."""
        listed = {folder: _names(folder) for folder, _ in self._open}
        for key, (tokens, shard) in list(self._open.items()):
            if shard.name in listed[tokens.folder] and (record := tokens.record(shard)) is not None:
                del self._open[key]
                self._done = {name: value + record[name] for name, value in self._done.items()}
        self._looked = self._clock()
        self._reporter.update(
            step=self._total - len(self._open), total=self._total, unit="shards", tokens=self._done["tokens"],
            counts={**self._estimated, **self._done}, notes=self._notes(), **self._rate(current),
        )  # fmt: skip

    def _rate(self, current: Counts | None) -> dict[str, float | None]:
        seconds = self._looked - self._begun
        own = self._own_bytes + (current.text_bytes if current else 0)
        if not own or seconds <= 0 or not self._done["textBytes"]:
            return {}
        left = sum(shard.text_bytes for _, shard in self._open.values())
        left = max(0, left - (current.text_bytes if current else 0))
        pods = max(1, min(self._pods, len(self._open)))
        density = self._done["tokens"] / self._done["textBytes"]
        return {"tokens_per_second": own * density / seconds, "eta_seconds": left / (own / seconds * pods)}

    def _notes(self) -> tuple[str, ...]:
        count = self._done["documentsWithEndOfText"]
        if not count:
            return ()
        return (f"{count:,} documents hold the end-of-text token as text: each is cut there as if it were two.",)


def _names(folder: Path) -> frozenset[str]:
    """The shards that seem done: one listing instead of a look at each of many thousands."""
    try:
        return frozenset(
            name.removesuffix(RECORD_SUFFIX) for name in os.listdir(folder) if name.endswith(RECORD_SUFFIX)
        )
    except FileNotFoundError:
        return frozenset()
