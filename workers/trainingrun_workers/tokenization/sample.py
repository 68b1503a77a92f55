"""The part of a source that its estimate is made from: the same each time, and evenly spread over the source."""

import math
from collections.abc import Sequence
from typing import Final

from trainingrun_workers.tokenization.plan import Piece, Unit
from trainingrun_workers.tokenization.sources import Source

SHARE: Final = 0.01  # of the parts of a source
LEAST_PARTS: Final = 8  # or all, where there are fewer
MOST_BYTES: Final = 32_000_000  # of text, where a pod looks before it begins
RANGE_BYTES: Final = 1 << 20  # of jsonl: as much as a row group, about


def sampled(source: Source, units: Sequence[Unit], most_bytes: int | None) -> tuple[Piece, ...]:
    """The parts that are tokenized for the estimate, in order: one in the middle of each of some equal stretches."""
    parts = [part for unit in units for piece in unit.pieces for part in _parts(source, piece)]
    number = min(len(parts), max(LEAST_PARTS, math.ceil(len(parts) * SHARE)))
    picked = _spread(parts, number)
    while most_bytes is not None and number > 1 and sum(one.text_bytes for one in picked) > most_bytes:
        number -= max(1, number // 4)
        picked = _spread(parts, number)
    return picked


def _spread(parts: Sequence[Piece], number: int) -> tuple[Piece, ...]:
    return tuple(parts[(2 * i + 1) * len(parts) // (2 * number)] for i in range(number))


def _parts(source: Source, piece: Piece) -> list[Piece]:
    """A piece as its row groups, or cut into ranges, or as it is."""
    file = source.by_path[piece.path]
    if not file.divisible:
        inside = (one for one in file.parts if piece.first <= one.first < piece.end)
        return [Piece(piece.path, one.first, one.end, one.rows, one.text_bytes) for one in inside]
    number = max(1, (piece.end - piece.first) // RANGE_BYTES)
    bounds = [piece.first + (piece.end - piece.first) * i // number for i in range(number + 1)]
    return [
        Piece(piece.path, first, end, -(-piece.rows // number), piece.text_bytes // number)
        for first, end in zip(bounds, bounds[1:], strict=False)
    ]
