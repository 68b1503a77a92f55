"""The plan of units: which part of which input file goes into which token file, whoever does the work."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, groupby
from typing import Final, TypeVar

PARTS_OF_A_UNIT: Final = 32  # jsonl is cut as fine as that, so that units differ by less than a part in it
LEAST_BYTES: Final = 64 << 10  # of text, but no finer

Item = TypeVar("Item")


@dataclass(frozen=True)
class Part:
    """The least of an input file that can go into a unit: a row group, a range of bytes, or a compressed file."""

    first: int
    end: int
    rows: int
    text_bytes: int


@dataclass(frozen=True)
class InputFile:
    """One file of a source as it was when it was looked at; the path is relative to the source's folder."""

    path: str
    size: int  # of the file, bytes
    version: str  # changes whenever the file is written: its time, or what a remote store has for that
    content: str  # changes when what is in it does, as far as that can be told without reading it all
    parts: tuple[Part, ...]
    divisible: bool = False  # whether parts may be cut anywhere, as ranges of lines may

    @property
    def rows(self) -> int:
        """Documents in it, those without text included; estimated for jsonl."""
        return sum(one.rows for one in self.parts)

    @property
    def text_bytes(self) -> int:
        """Bytes of text in it, about."""
        return sum(one.text_bytes for one in self.parts)


@dataclass(frozen=True)
class Piece:
    """A consecutive part of one input file.

    `first` and `end` count row groups of parquet, bytes of jsonl (a line belongs where it starts), and are 0 and 1 of
    a compressed file.
    """

    path: str
    first: int
    end: int
    rows: int
    text_bytes: int


@dataclass(frozen=True)
class Unit:
    """One token file to make: consecutive pieces of a source, of which at most `limit` rows are read."""

    index: int
    pieces: tuple[Piece, ...]
    limit: int | None

    @property
    def name(self) -> str:
        """The token file's name; names sort as units do."""
        return f"{self.index:05d}.ds"

    @property
    def rows(self) -> int:
        """Rows read at most."""
        rows = sum(one.rows for one in self.pieces)
        return rows if self.limit is None else min(rows, self.limit)

    @property
    def text_bytes(self) -> int:
        """Bytes of text that are read, about."""
        rows = sum(one.rows for one in self.pieces)
        return sum(one.text_bytes for one in self.pieces) * self.rows // rows if rows else 0


def plan_units(files: Sequence[InputFile], shards: int, limit: int | None) -> tuple[Unit, ...]:
    """At most `shards` units of about equal bytes of text over the files in the order of their paths.

    A limit takes the first rows of the source, whether they have text and pass the filter or not: parts behind it are
    left out, and the last unit is told how many rows are its own, so that no unit needs to know how far others are.
    """
    ordered = parts_of(sorted(files, key=lambda one: one.path), shards)
    if limit is not None:
        before = accumulate((part.rows for _, part in ordered), initial=0)
        ordered = [one for one, rows in zip(ordered, before, strict=False) if rows < limit]
    units: list[Unit] = []
    left = limit
    for index, group in enumerate(_groups(ordered, shards)):
        pieces = _pieces(group)
        rows = sum(one.rows for one in pieces)
        units.append(Unit(index, pieces, None if left is None or rows <= left else left))
        left = None if left is None else left - rows
    return tuple(units)


def with_other_parts(units: Sequence[Unit], path: str, parts: Sequence[Part]) -> tuple[Unit, ...]:
    """The units with a file as it is now: its new parts are shared among the units that had the old ones.

    All other units stay as they are. Not for units with a limit, which count rows over all files.
    """
    holders = [one.index for one in units if any(piece.path == path for piece in one.pieces)]
    holders = holders or [max((one.index for one in units if one.pieces and one.pieces[0].path < path), default=0)]
    groups = _groups([(path, part) for part in parts], len(holders))
    added = dict(zip(holders, map(_pieces, groups), strict=False))
    return tuple(
        replace(one, pieces=tuple(sorted(_others(one, path) + added.get(one.index, ()), key=lambda piece: piece.path)))
        for one in units
    )


def _others(unit: Unit, path: str) -> tuple[Piece, ...]:
    return tuple(one for one in unit.pieces if one.path != path)


def own_units(work: Sequence[Item], pod: int, pods: int) -> Sequence[Item]:
    """The part of all work that falls to one pod: every pods-th."""
    return work[pod::pods]


def parts_of(files: Sequence[InputFile], shards: int) -> list[tuple[str, Part]]:
    """All parts in order; those that may be cut are cut so small that units get about equal."""
    small = max(LEAST_BYTES, sum(one.text_bytes for one in files) // (shards * PARTS_OF_A_UNIT))
    return [
        (one.path, part)
        for one in files
        for whole in one.parts
        for part in (_cut(whole, -(-whole.text_bytes // small)) if one.divisible else (whole,))
    ]


def _cut(whole: Part, number: int) -> tuple[Part, ...]:
    def at(value: int, i: int) -> int:
        return value * i // max(1, number)

    return tuple(
        Part(
            whole.first + at(whole.end - whole.first, i), whole.first + at(whole.end - whole.first, i + 1),
            at(whole.rows, i + 1) - at(whole.rows, i), at(whole.text_bytes, i + 1) - at(whole.text_bytes, i),
        )
        for i in range(max(1, number))
    )  # fmt: skip


def _pieces(parts: Iterable[tuple[str, Part]]) -> tuple[Piece, ...]:
    pieces = []
    for path, group in groupby(parts, key=lambda one: one[0]):
        own = [part for _, part in group]
        rows, text_bytes = sum(one.rows for one in own), sum(one.text_bytes for one in own)
        pieces.append(Piece(path, own[0].first, own[-1].end, rows, text_bytes))
    return tuple(pieces)


def _groups(parts: Sequence[tuple[str, Part]], shards: int) -> list[list[tuple[str, Part]]]:
    """A part belongs where its middle falls when all text is cut into equal lengths: right to within a part."""
    if len(parts) <= shards:
        return [[one] for one in parts]
    weights = [part.text_bytes + 1 for _, part in parts]
    total = sum(weights)
    groups: dict[int, list[tuple[str, Part]]] = {}
    for one, weight, before in zip(parts, weights, accumulate(weights, initial=0), strict=False):
        groups.setdefault((2 * before + weight) * shards // (2 * total), []).append(one)
    return list(groups.values())
