"""Lines of a file or of a part of it: each belongs to the part in which it starts, wherever the cuts are."""

from collections.abc import Iterator
from typing import Any

from trainingrun_workers.tokenization.formats import BATCH_BYTES

Block = bytes | bytearray


def blocks(stream: Any, first: int, end: int | None) -> Iterator[tuple[int, Block]]:
    """The lines that start at byte `first` or later and before `end` (None: all), whole, with where they start.

    A block is of about BATCH_BYTES, or a single longer line.
    """
    place, kept = _after_line_end(stream, first) if first else (0, bytearray())
    searched = 0  # of kept's bytes: no line ends there
    while end is None or place < end:
        read = stream.read(BATCH_BYTES)
        kept += read
        if cut := _cut(kept, searched, None if end is None else end - place, last=not read):
            block, kept = (kept, bytearray()) if cut == len(kept) else (kept[:cut], kept[cut:])
            place += cut
            yield place - cut, block
            del block  # a line may be large
        if not read:
            return
        searched = len(kept)


def lines_in(block: Block) -> int:
    """Lines of a block that are not blank."""
    return sum(1 for one in block.split(b"\n") if one.strip())


def first_lines(block: Block, limit: int) -> Block:
    """The block as far as its first `limit` lines that are not blank."""
    kept, count = [], 0
    for line in block.split(b"\n"):
        count += bool(line.strip())
        if count > limit:
            break
        kept.append(line)
    return b"\n".join(kept)


def _after_line_end(stream: Any, first: int) -> tuple[int, bytearray]:
    """Where the first line starts that starts at `first` or later, and what was read from there on."""
    place = first - 1  # a line may start at `first` itself: then a line ends right before it
    stream.seek(place)
    while read := stream.read(BATCH_BYTES):
        found = read.find(b"\n")
        if found >= 0:
            return place + found + 1, bytearray(read[found + 1 :])
        place += len(read)
    return place, bytearray()


def _cut(kept: bytearray, searched: int, room: int | None, last: bool) -> int:
    """How many bytes of whole lines are there; lines that start `room` bytes on or later don't count."""
    if room is not None and (found := kept.find(b"\n", max(room - 1, searched))) >= 0:
        return found + 1
    return len(kept) if last else kept.rfind(b"\n", searched) + 1
