"""The sources of text as they are: which files there are, and whether they can be read as the run says."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any, Final, TypeVar

import pyarrow as pa

from trainingrun_workers.contract import TokenSource
from trainingrun_workers.errors import BadData
from trainingrun_workers.tokenization.formats import Format, Keys
from trainingrun_workers.tokenization.jsonl import CODECS, JSONL, JSONL_GZ, JSONL_ZST, counted
from trainingrun_workers.tokenization.parquet import PARQUET
from trainingrun_workers.tokenization.plan import InputFile
from trainingrun_workers.volume import Volume

READERS: Final = 16  # files looked at at the same time: of remote files, waiting is all there is
FORMATS: Final = {".jsonl": JSONL, ".jsonl.zst": JSONL_ZST, ".jsonl.gz": JSONL_GZ}  # by suffix; any other is parquet
VERSIONS: Final = ("ETag", "etag", "blob_id", "xet_hash", "mtime", "last_modified")  # in what a store says of a file

Value = TypeVar("Value")


@dataclass(frozen=True)
class Source:
    """A source, and its files as they were when they were looked at."""

    name: str
    path: str
    text_key: str
    folder: Any  # datatrove.io.DataFolder or remote.RemoteFolder
    files: tuple[InputFile, ...]  # sorted by path
    score_key: str | None = None
    min_score: float | None = None

    @property
    def keys(self) -> Keys:
        """What is read of each document."""
        return Keys(self.name, self.text_key, self.score_key)

    def file(self, path: str) -> InputFile:
        """The file of that path; KeyError where there is none."""
        return self.by_path[path]

    def with_contents(self, known: Sequence[InputFile]) -> "Source":
        """The source with the files' contents as they are known of others; its own where they aren't."""
        contents = {one.path: one.content for one in known}
        return replace(
            self, files=tuple(replace(one, content=contents.get(one.path, one.content)) for one in self.files)
        )

    @cached_property
    def by_path(self) -> dict[str, InputFile]:
        """The files by their paths."""
        return {one.path: one for one in self.files}


def list_source(source: TokenSource, volume: Volume) -> Source:
    """The source with its files' sizes and versions, but not yet looked into; BadData where there are none."""
    place, pattern = (source.path, source.glob) if "://" in source.path else _on_volume(source, volume)
    if "://" in place and PurePosixPath(place).suffix in (".parquet", ".jsonl", ".zst", ".gz"):
        place, _, pattern = place.rpartition("/")
    folder = _opened(place)
    paths = readable(source.path, lambda: list(folder.list_files(recursive=True, glob_pattern=pattern)))
    if not paths:
        raise BadData(
            "SourceEmpty",
            f"The source {source.name!r} has no file that matches {source.glob!r} below {source.path!r}: "
            "put its files there or mend its path or glob.",
        )
    found = Source(source.name, source.path, source.text_key, folder, (), source.score_key, source.min_score)
    with ThreadPoolExecutor(READERS) as pool:
        return replace(found, files=tuple(pool.map(lambda path: _as_it_is(found, path), sorted(paths))))


def inspect_source(source: Source, limit: int | None = None) -> Source:
    """The source with its files looked into; BadData where one is corrupt or has no such column or key.

    A limit makes the rows of jsonl exact as far as it reaches, by reading them.
    """
    with ThreadPoolExecutor(READERS) as pool:
        files = list(pool.map(lambda one: look_into(source, one), source.files))
    if not any(one.rows for one in files):
        raise BadData(
            "SourceEmpty", f"The source {source.name!r} has {len(files)} files below {source.path!r} but no row."
        )
    return replace(source, files=tuple(files if limit is None else _exact(source, files, limit)))


def look_into(source: Source, file: InputFile) -> InputFile:
    """The file with its parts; BadData where it is corrupt, has no such column or key, or changed meanwhile."""
    kind = format_of(file.path)

    def read() -> InputFile:
        with source.folder.open(file.path, "rb") as opened:
            looked = kind.look(opened, file.path, file.size, source.keys)
        content = looked.content or file.version
        return replace(file, content=content, parts=looked.parts, divisible=looked.divisible)

    return readable(f"{source.path}/{file.path}", read)


def check_unchanged(source: Source, path: str) -> None:
    """BadData where the file is not the one that was looked at."""
    before, now = source.file(path), _as_it_is(source, path)
    if (before.size, before.version) != (now.size, now.version):
        raise changed(source, path, f"{before.size:,} bytes then, {now.size:,} now")


def changed(source: Source, path: str, how: str) -> BadData:
    """The sentence for a file that is another one than when the work on it began."""
    return BadData(
        "SourceChanged",
        f"The file {path!r} of source {source.name!r} changed after the work on it began ({how}): wait until nobody "
        "writes there and start the stage again; what other files gave stays, what this one gave is made again.",
    )


def format_of(path: str) -> Format:
    """How a file is read, by its name."""
    return next((one for suffix, one in FORMATS.items() if path.lower().endswith(suffix)), PARQUET)


def readable(what: str, read: Callable[[], Value]) -> Value:
    """What `read` yields; BadData naming `what` where that is missing, forbidden or no whole file of its format."""
    try:
        return read()
    except FileNotFoundError as error:
        raise BadData("SourceMissing", f"There is nothing at {what!r}: put the data there or mend the path.") from error
    except PermissionError as error:
        raise BadData(
            "SourceUnreadable", f"The data at {what!r} may not be read by this pod: let its group read them."
        ) from error
    except (pa.ArrowException, UnicodeDecodeError, EOFError) as error:
        raise corrupt(what, error) from error
    except OSError as error:
        if error.errno is not None:  # the machine's own errors; Arrow's about broken content carry no number
            raise
        raise corrupt(what, error) from error


def corrupt(what: str, error: Exception) -> BadData:
    """The sentence for a file that is no whole file of its format."""
    why = " ".join(str(error).split())[:300]
    kind = format_of(what).name
    return BadData("SourceCorrupt", f"The file {what!r} can't be read as {kind} ({why}): replace it or take it away.")


def _on_volume(source: TokenSource, volume: Volume) -> tuple[str, str]:
    path = volume.path(source.path)
    if not path.exists():
        raise BadData(
            "SourceMissing",
            f"The source {source.name!r} has no {source.path!r} on the volume: put its data there or mend its path.",
        )
    return (str(path.parent), path.name) if path.is_file() else (str(path), source.glob)


def _opened(place: str) -> Any:
    if "://" in place:
        from trainingrun_workers.tokenization.remote import opened

        return opened(place)
    from datatrove.io import get_datafolder

    return get_datafolder(place)


def _as_it_is(source: Source, path: str) -> InputFile:
    info = readable(f"{source.path}/{path}", lambda: source.folder.info(path))
    version = next((str(info[key]) for key in VERSIONS if info.get(key) is not None), "")
    return InputFile(path, int(info["size"]), version, "", ())


def _exact(source: Source, files: Sequence[InputFile], limit: int) -> list[InputFile]:
    """The files with exact rows, as far as the limit reaches; parquet's always are."""
    found: list[InputFile] = []
    left = limit
    for file in files:
        kind = format_of(file.path).name
        if left > 0 and kind in CODECS and file.parts:
            file = readable(f"{source.path}/{file.path}", lambda: _counted(source, file, left))  # noqa: B023
        found.append(file)
        left -= file.rows
    return found


def _counted(source: Source, file: InputFile, limit: int) -> InputFile:
    with source.folder.open(file.path, "rb") as opened:
        parts = counted(opened, file.parts[0], limit, CODECS[format_of(file.path).name])
    return replace(file, parts=parts, divisible=False)
