"""Parquet files: text in FineWeb's columns, code in StarCoder's."""

import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from making.handbook import FOLDER, LOCALES, PACKAGE, Document
from making.python_library import SourceFile

TEXT_FILES: Final = 3
CODE_FILES: Final = 2
ROWS_A_GROUP: Final = 32  # so that every file has several row groups

FINEWEB: Final = pa.schema(
    [
        ("text", pa.string()),
        ("id", pa.string()),
        ("dump", pa.string()),
        ("url", pa.string()),
        ("date", pa.string()),
        ("file_path", pa.string()),
        ("language", pa.string()),
        ("language_score", pa.float64()),
        ("token_count", pa.int64()),
    ]
)
STARCODER: Final = pa.schema(
    [
        ("max_stars_repo_path", pa.string()),
        ("max_stars_repo_name", pa.string()),
        ("max_stars_count", pa.int64()),
        ("id", pa.string()),
        ("content", pa.string()),
    ]
)

Row = dict[str, Any]


def write_text(
    folder: Path, language: str, sections: Sequence[Document], version: str, count: Callable[[str], int]
) -> list[Path]:
    """The sections as TEXT_FILES parquet files below `folder`; `count` gives a text's tokens."""
    rows = [_text_row(one, language, version, count) for one in sections]
    return _write(folder, rows, FINEWEB, TEXT_FILES)


def write_code(folder: Path, files: Sequence[SourceFile]) -> list[Path]:
    """The modules as CODE_FILES parquet files below `folder`."""
    rows: list[Row] = [
        {
            "max_stars_repo_path": one.path,
            "max_stars_repo_name": "python/cpython",
            "max_stars_count": None,
            "id": str(number),
            "content": one.text,
        }
        for number, one in enumerate(files)
    ]
    return _write(folder, rows, STARCODER, CODE_FILES)


def _text_row(one: Document, language: str, version: str, count: Callable[[str], int]) -> Row:
    page, _, part = one.key.partition("#")
    text = one.text()
    url = f"https://debian-handbook.info/browse/{LOCALES[language]}/stable/{page}#{part}"
    return {
        "text": text,
        "id": f"<urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, url)}>",
        "dump": f"{PACKAGE}-{version}",
        "url": url,
        "date": _date(version),
        "file_path": f"{PACKAGE}_{version}_all.deb/{FOLDER}/{LOCALES[language]}/{page}",
        "language": language,
        "language_score": 1.0,  # the book says what language it is in; nothing was guessed
        "token_count": count(text),
    }


def _date(version: str) -> str:
    """The day in a version like 11.20220922, as FineWeb writes times."""
    day = version.partition(".")[2][:8]
    return f"{day[:4]}-{day[4:6]}-{day[6:]}T00:00:00Z"


def _write(folder: Path, rows: list[Row], schema: pa.Schema, files: int) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number in range(files):
        path = folder / f"{number:03d}_00000.parquet"
        table = pa.Table.from_pylist(rows[number::files], schema=schema)
        pq.write_table(table, path, row_group_size=ROWS_A_GROUP, compression="zstd", compression_level=12)
        written.append(path)
    return written
