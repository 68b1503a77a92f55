"""What every format of input files has in common: how a file is looked at, and what reading it yields."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from trainingrun_workers.errors import BadData
from trainingrun_workers.tokenization.plan import Part, Piece

BATCH_BYTES: Final = 4 << 20  # of text or lines that are read at once, or one document


@dataclass(frozen=True)
class Keys:
    """The names of what is read of each document."""

    source: str  # the source's name, for messages
    text: str
    score: str | None = None


@dataclass(frozen=True)
class Looked:
    """What a look at a file yields."""

    content: str  # changes when what is in the file does; "" where only reading it all could tell
    parts: tuple[Part, ...]
    divisible: bool = False  # whether parts may be cut anywhere


@dataclass(frozen=True)
class Rows:
    """Consecutive rows of a file, of which `broken` ones are left out here."""

    texts: Any  # pa.LargeStringArray, null where there is no text
    scores: Any = None  # pa.Array of numbers or nulls, as long as texts
    broken: int = 0
    place: str = ""  # of the first broken one, and what is wrong with it

    @property
    def count(self) -> int:
        """All rows, the broken ones too."""
        return len(self.texts) + self.broken


@dataclass(frozen=True)
class Format:
    """A kind of file. Both functions take a file that is open, as bytes, from its beginning.

    `look(file, path, size, keys)` raises BadData where the file is not of this format or has no such key.
    `rows(file, piece, keys, limit)` yields the first `limit` rows of a piece (all where it is None) in order.
    """

    name: str
    look: Callable[[Any, str, int, Keys], Looked]
    rows: Callable[[Any, Piece, Keys, int | None], Iterator[Rows]]


def valid(texts: Any) -> bool:
    """Whether all of an array's texts are UTF-8, as Arrow's readers take for granted."""
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def without_broken(texts: Any, scores: Any, place: str) -> Rows:
    """The rows whose texts are UTF-8; `place` says where the first of all is."""
    if valid(texts):
        return Rows(texts, scores)
    good = [valid(texts.slice(i, 1)) for i in range(len(texts))]
    kept = pa.array(good)
    first = f"{place}, row {good.index(False) + 1} from there: no UTF-8"
    return Rows(
        texts.filter(kept), None if scores is None else scores.filter(kept), len(good) - pc.sum(kept).as_py(), first
    )


def key_missing(path: str, keys: Keys, key: str, problem: str, names: list[str]) -> BadData:
    """The sentence for a file without what the manifest names; `problem` goes on from the file's name."""
    field, reason = ("textKey", "TextKeyMissing") if key == keys.text else ("scoreKey", "ScoreKeyMissing")
    there = ", ".join(names) or "none at all"
    return BadData(reason, f"The file {path!r} of source {keys.source!r} {problem}: set {field} to one of {there}.")
