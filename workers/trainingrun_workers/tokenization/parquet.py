"""Parquet: units are of row groups, and of the columns only the text's and the score's are read."""

import hashlib
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from trainingrun_workers.tokenization.formats import (
    BATCH_BYTES,
    Format,
    Keys,
    Looked,
    Rows,
    key_missing,
    without_broken,
)
from trainingrun_workers.tokenization.plan import Part, Piece

LENGTH_BYTES: Final = 4  # parquet keeps each text's length before it
BUFFER_BYTES: Final = 1 << 20  # read at once: a column is read as it is needed, not a row group's all at once
BATCH_ROWS: Final = 8192  # at most


def look(file: Any, path: str, size: int, keys: Keys) -> Looked:
    """Rows and bytes of text of each row group, as the footer has them; the content is told by the groups' sizes."""
    with pq.ParquetFile(file) as parquet:
        _check_columns(parquet.schema_arrow, path, keys)
        metadata = parquet.metadata
        column = _column(metadata, keys.text)
        groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
        chunks = [one.column(column) for one in groups]
        parts = tuple(
            Part(i, i + 1, group.num_rows, max(0, chunk.total_uncompressed_size - LENGTH_BYTES * group.num_rows))
            for i, (group, chunk) in enumerate(zip(groups, chunks, strict=True))
        )
        layout = [(chunk.data_page_offset, chunk.total_compressed_size) for chunk in chunks]
        content = hashlib.sha256(repr((size, parts, layout)).encode()).hexdigest()
        return Looked(content, tuple(one for one in parts if one.rows))


def rows(file: Any, piece: Piece, keys: Keys, limit: int | None) -> Iterator[Rows]:
    """The rows of a piece's row groups, about BATCH_BYTES at a time."""
    with pq.ParquetFile(file, buffer_size=BUFFER_BYTES) as parquet:
        columns = [keys.text] if keys.score is None else [keys.text, keys.score]
        left = limit
        for group in range(piece.first, piece.end):
            start = 0
            for batch in parquet.iter_batches(_batch_rows(parquet.metadata, group, keys), [group], columns):
                if left is not None:
                    batch = batch.slice(0, left)
                    left -= batch.num_rows
                texts = batch.column(keys.text).cast(pa.large_string())
                scores = None if keys.score is None else batch.column(keys.score)
                yield without_broken(texts, scores, f"row group {group + 1}, row {start + 1}")
                start += batch.num_rows
                if left == 0:
                    return


def _batch_rows(metadata: Any, group: int, keys: Keys) -> int:
    one = metadata.row_group(group)
    size = one.column(_column(metadata, keys.text)).total_uncompressed_size
    return max(1, min(BATCH_ROWS, int(one.num_rows * BATCH_BYTES // max(1, size))))


def _column(metadata: Any, key: str) -> int:
    return next(i for i in range(metadata.num_columns) if metadata.schema.column(i).path == key)


def _check_columns(schema: Any, path: str, keys: Keys) -> None:
    names = list(schema.names)
    for key in (keys.text, keys.score):
        if key is not None and key not in names:
            raise key_missing(path, keys, key, f"has no column {key!r}", names)
    kind = _kind(schema, keys.text)
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        texts = [one for one in names if pa.types.is_string(_kind(schema, one))]
        raise key_missing(path, keys, keys.text, f"holds {kind} in column {keys.text!r}, not text", texts)
    if keys.score is None:
        return
    kind = _kind(schema, keys.score)
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
        numbers = [n for n in names if pa.types.is_floating(_kind(schema, n)) or pa.types.is_integer(_kind(schema, n))]
        raise key_missing(path, keys, keys.score, f"holds {kind} in column {keys.score!r}, not numbers", numbers)


def _kind(schema: Any, key: str) -> Any:
    kind = schema.field(key).type
    return kind.value_type if isinstance(kind, pa.DictionaryType) else kind


PARQUET: Final = Format("parquet", look, rows)
