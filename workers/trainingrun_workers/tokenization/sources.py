"""The sources of text as they are: which files there are, and whether they can be read as the run says."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from trainingrun_workers.contract import TokenSource
from trainingrun_workers.errors import BadConfig, BadData
from trainingrun_workers.tokenization.plan import InputFile
from trainingrun_workers.volume import Volume

READERS: Final = 16  # footers read at the same time: of remote files, waiting is all there is
LENGTH_BYTES: Final = 4  # parquet keeps each text's length before it

Value = TypeVar("Value")


@dataclass(frozen=True)
class Source:
    """A source whose files were all looked at: they are parquet and have its text column."""

    name: str
    path: str
    text_key: str
    folder: Any  # datatrove.io.DataFolder
    files: tuple[InputFile, ...]  # sorted by path


def inspect_source(source: TokenSource, volume: Volume) -> Source:
    """Look at every file's footer; BadData where something is missing, empty, corrupt or has no such column."""
    place, pattern = (source.path, source.glob) if "://" in source.path else _on_volume(source, volume)
    if "://" in place and PurePosixPath(place).suffix == ".parquet":
        place, _, pattern = place.rpartition("/")
    folder = _opened(place)
    paths = readable(source.path, lambda: list(folder.list_files(recursive=True, glob_pattern=pattern)))
    if not paths:
        raise BadData(
            "SourceEmpty",
            f"The source {source.name!r} has no file that matches {source.glob!r} below {source.path!r}: "
            "put its parquet files there or mend its path or glob.",
        )
    with ThreadPoolExecutor(READERS) as pool:
        files = tuple(pool.map(lambda path: _inspect_file(source, folder, path), paths))
    if not any(one.rows for one in files):
        raise BadData(
            "SourceEmpty", f"The source {source.name!r} has {len(files)} files below {source.path!r} but no row."
        )
    return Source(source.name, source.path, source.text_key, folder, files)


def readable(what: str, read: Callable[[], Value]) -> Value:
    """What `read` yields; BadData naming `what` where that is missing, forbidden or no whole parquet file."""
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
    """The sentence for a file that is no whole parquet file."""
    why = " ".join(str(error).split())[:300]
    return BadData("SourceCorrupt", f"The file {what!r} can't be read as parquet ({why}): replace it or take it away.")


def _on_volume(source: TokenSource, volume: Volume) -> tuple[str, str]:
    path = volume.path(source.path)
    if not path.exists():
        raise BadData(
            "SourceMissing",
            f"The source {source.name!r} has no {source.path!r} on the volume: put its data there or mend its path.",
        )
    return (str(path.parent), path.name) if path.is_file() else (str(path), source.glob)


def _opened(place: str) -> Any:
    from datatrove.io import get_datafolder

    try:
        return get_datafolder(place)
    except (ImportError, ValueError) as error:  # fsspec: no library for this kind of address, or no such kind
        raise BadConfig(
            "AddressUnsupported",
            f"This image can't read {place!r} ({error}): copy the data onto the volume, or use an image with what it "
            "takes.",
        ) from error


def _inspect_file(source: TokenSource, folder: Any, path: str) -> InputFile:
    def read() -> InputFile:
        with folder.open(path, "rb") as file, pq.ParquetFile(file) as parquet:
            _check_column(source, path, parquet.schema_arrow)
            text_bytes = _text_bytes(parquet.metadata, source.text_key)
            return InputFile(path, int(folder.info(path)["size"]), parquet.metadata.num_rows, text_bytes)

    return readable(f"{source.path}/{path}", read)


def _check_column(source: TokenSource, path: str, schema: Any) -> None:
    names = list(schema.names)
    if source.text_key not in names:
        raise BadData(
            "TextKeyMissing",
            f"The file {path!r} of source {source.name!r} has no column {source.text_key!r}: set textKey to one of "
            f"{', '.join(names)}.",
        )
    kind = schema.field(source.text_key).type
    if isinstance(kind, pa.DictionaryType):
        kind = kind.value_type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise BadData(
            "TextKeyMissing",
            f"The column {source.text_key!r} of {path!r} in source {source.name!r} holds {kind}, not text: set textKey "
            f"to a column of texts; there are {', '.join(names)}.",
        )


def _text_bytes(metadata: Any, text_key: str) -> int:
    column = next(i for i in range(metadata.num_columns) if metadata.schema.column(i).path == text_key)
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    return sum(max(0, one.column(column).total_uncompressed_size - LENGTH_BYTES * one.num_rows) for one in groups)
