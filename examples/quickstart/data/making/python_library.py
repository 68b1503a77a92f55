"""Python's own standard library as code documents, in the columns of StarCoder's data."""

import hashlib
import re
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TOTAL_BYTES: Final = 900_000
FILE_BYTES: Final = range(1_000, 24_001)
LEFT_OUT: Final = ("test", "tests", "idlelib", "lib2to3", "site-packages", "encodings", "pydoc_data", "__pycache__")

# A file with a notice of its own may have terms of its own: those without one are under Python's licence alone.
_NOTICE = re.compile(r"copyright|licen[cs]e|all rights reserved", re.IGNORECASE)


@dataclass(frozen=True)
class SourceFile:
    """One module: its path below the library's folder and its text."""

    path: str
    text: str


def library() -> Path:
    """The folder of the running Python's standard library."""
    return Path(sysconfig.get_path("stdlib"))


def licence(folder: Path) -> str:
    """The text of Python's licence, as it was installed beside the library."""
    return (folder / "LICENSE.txt").read_text(encoding="utf-8")


def source_files(folder: Path) -> list[SourceFile]:
    """Modules of the library up to TOTAL_BYTES, chosen and ordered by the hash of their paths."""
    chosen: list[SourceFile] = []
    size = 0
    paths = [path.relative_to(folder) for path in folder.rglob("*.py")]
    for path in sorted(paths, key=lambda one: hashlib.sha256(one.as_posix().encode()).hexdigest()):
        if _is_wanted(folder, path) and size < TOTAL_BYTES:
            text = (folder / path).read_text(encoding="utf-8")
            chosen.append(SourceFile(f"Lib/{path.as_posix()}", text))
            size += len(text.encode())
    return chosen


def _is_wanted(folder: Path, path: Path) -> bool:
    if set(path.parts) & set(LEFT_OUT) or path.name.startswith("_sysconfigdata"):
        return False
    whole = folder / path
    return whole.stat().st_size in FILE_BYTES and not _NOTICE.search(whole.read_text(encoding="utf-8"))
