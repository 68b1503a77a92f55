"""Reads a unit's texts as Arrow arrays, leaves out what is no text to train on, and counts it."""

from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from trainingrun_workers.errors import BadData
from trainingrun_workers.tokenization.counts import Counts
from trainingrun_workers.tokenization.formats import Rows
from trainingrun_workers.tokenization.plan import Piece, Unit
from trainingrun_workers.tokenization.sources import Source, check_unchanged, format_of, readable

ARRAY_BYTES: Final = 16 << 20  # of text in an array, unless it is one document
BROKEN_DOCUMENTS: Final = 10  # a unit may have that many broken rows, or
BROKEN_SHARE: Final = 0.01  # that share of all its rows, whichever is more
CERTAIN: Final = 4  # a unit isn't read to its end where it is broken even if it had that many times the rows


def texts(source: Source, unit: Unit, counts: Counts, sample: bool = False) -> Iterator[Any]:
    """The texts of a unit in order, as pa.LargeStringArray without null or empty ones, of at most ARRAY_BYTES each.

    A row counts once: as broken, else as empty, else as filtered, else it is a document. The unit's limit counts them
    all. Raises BadData where a file is corrupt or not the one that was planned, before and after reading it, and where
    too many rows are broken, unless they are but a sample.
    """
    tally = _Tally(source, unit, counts, sample)
    left = unit.limit
    for piece in unit.pieces:
        if left == 0:
            break
        check_unchanged(source, piece.path)
        for rows in _rows(source, piece, left):
            left = None if left is None else left - rows.count
            tally.add(piece, rows)
            yield from slices(_kept(rows, source.min_score, counts))
        check_unchanged(source, piece.path)
    tally.check(expected_rows=0)


def slices(array: Any) -> Iterator[Any]:
    """The array in parts of at most ARRAY_BYTES of text, or of one longer text; nothing where it is empty."""
    start = 0
    while start < len(array):
        stop, size = len(array), _size(array, start, len(array))
        if size > ARRAY_BYTES:
            low, high = start + 1, stop  # the last stop whose texts still fit
            while low < high:
                middle = (low + high + 1) // 2
                low, high = (middle, high) if _size(array, start, middle) <= ARRAY_BYTES else (low, middle - 1)
            stop = low
        yield array.slice(start, stop - start)
        start = stop


class _Tally:
    """Counts broken rows of a unit, and gives up when they are too many."""

    def __init__(self, source: Source, unit: Unit, counts: Counts, sample: bool) -> None:
        self._source, self._unit, self._counts, self._sample = source, unit, counts, sample
        self._rows, self._first = 0, ""

    def add(self, piece: Piece, rows: Rows) -> None:
        self._rows += rows.count
        self._counts.broken += rows.broken
        self._first = self._first or (rows.place and f"{piece.path!r}, {rows.place}")
        self.check(self._unit.rows * CERTAIN)

    def check(self, expected_rows: int) -> None:
        broken, rows = self._counts.broken, max(self._rows, expected_rows)
        if not self._sample and broken > BROKEN_DOCUMENTS and broken > BROKEN_SHARE * rows:
            raise BadData(
                "SourceBroken",
                f"{broken:,} of the {self._rows:,} documents read for token file {self._unit.name} of source "
                f"{self._source.name!r} are broken, which is more than {BROKEN_SHARE:.0%}; the first is in "
                f"{self._first}: mend the file or take it away.",
            )


def _rows(source: Source, piece: Piece, limit: int | None) -> Iterator[Rows]:
    what = f"{source.path}/{piece.path}"
    with readable(what, lambda: source.folder.open(piece.path, "rb")) as file:
        read = format_of(piece.path).rows(file, piece, source.keys, limit)
        while (rows := _next(source, piece, what, read)) is not None:
            yield rows


def _next(source: Source, piece: Piece, what: str, read: Iterator[Rows]) -> Rows | None:
    try:
        return readable(what, lambda: next(read, None))
    except BadData:
        check_unchanged(source, piece.path)  # what looks corrupt may have been written just now
        raise


def _kept(rows: Rows, min_score: float | None, counts: Counts) -> Any:
    texts, scores = rows.texts, rows.scores
    there = pc.fill_null(pc.greater(pc.binary_length(texts), 0), False)
    number = pc.sum(there).as_py() or 0
    if number < len(texts):
        counts.empty += len(texts) - number
        texts, scores = texts.filter(there), None if scores is None else scores.filter(there)
    if scores is None or min_score is None:
        return texts
    good = texts.filter(pc.fill_null(pc.greater_equal(scores.cast(pa.float64()), min_score), False))
    counts.filtered += len(texts) - len(good)
    return good


def _size(array: Any, start: int, stop: int) -> int:
    return int(pc.sum(pc.binary_length(array.slice(start, stop - start))).as_py() or 0)
