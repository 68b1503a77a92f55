"""The plan of shards: which input files go into which token file, whoever does the work."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class InputFile:
    """One parquet file of a source; the path is relative to the source's folder."""

    path: str
    size: int  # of the file, bytes
    rows: int
    text_bytes: int  # of the text column, uncompressed, by the file's metadata


@dataclass(frozen=True)
class Shard:
    """One token file to make: consecutive input files of a source, of which at most `limit` documents are read."""

    index: int
    files: tuple[InputFile, ...]
    limit: int | None

    @property
    def name(self) -> str:
        """The token file's name; names sort as shards do."""
        return f"{self.index:05d}.ds"

    @property
    def rows(self) -> int:
        """Documents read at most."""
        rows = sum(one.rows for one in self.files)
        return rows if self.limit is None else min(rows, self.limit)

    @property
    def text_bytes(self) -> int:
        """Bytes of text that are read, about."""
        rows = sum(one.rows for one in self.files)
        return sum(one.text_bytes for one in self.files) * self.rows // rows if rows else 0


def plan_shards(files: Sequence[InputFile], shards: int, limit: int | None) -> tuple[Shard, ...]:
    """At most `shards` shards of about equal bytes over the files in the order of their paths.

    A limit takes the first rows of the source: files behind it are left out, and each shard gets its own part of it,
    so that no shard needs to know how far the others are.
    """
    ordered = sorted(files, key=lambda one: one.path)
    if limit is not None:
        ordered = [one for one, before in zip(ordered, _rows_before(ordered), strict=True) if before < limit]
    groups = _groups(ordered, shards)
    planned: list[Shard] = []
    left = limit
    for index, group in enumerate(groups):
        rows = sum(one.rows for one in group)
        part = None if left is None or rows <= left else left
        planned.append(Shard(index, tuple(group), part))
        left = None if left is None else left - rows
    return tuple(planned)


def own_shards(work: Sequence[Item], pod: int, pods: int) -> Sequence[Item]:
    """The part of all work that falls to one pod: every pods-th."""
    return work[pod::pods]


def _rows_before(files: Sequence[InputFile]) -> list[int]:
    before, starts = 0, []
    for one in files:
        starts.append(before)
        before += one.rows
    return starts


def _groups(files: Sequence[InputFile], shards: int) -> list[list[InputFile]]:
    if len(files) <= shards:
        return [[one] for one in files]
    total = sum(one.size for one in files)
    groups: dict[int, list[InputFile]] = {}
    before = 0
    for one in files:  # a file belongs where its middle falls when the bytes are cut into equal parts
        groups.setdefault((2 * before + one.size) * shards // (2 * total), []).append(one)
        before += one.size
    return list(groups.values())
