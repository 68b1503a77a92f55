"""What lies below `artifacts`, measured while others write there: what vanishes meanwhile is left out."""

import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.artifacts.folders import ARTIFACTS, NAME, REMOVED
from trainingrun_workers.contract import COMPLETE_MARKER
from trainingrun_workers.volume import read_marker

MOST_TOLD: Final = 12  # entries of a marker
MOST_MARKER: Final = 2**26  # bytes
MOST_TEXT: Final = 100  # characters of one of them


@dataclass
class Measure:
    """What a folder holds, links counted as themselves and a file with several names once."""

    bytes: int = 0  # sum of the files' sizes, which file systems agree on; the blocks they take may be more or fewer
    files: int = 0
    newest: float = 0.0  # seconds since the epoch when anything in it was last changed


def listing(root: Path, now: float | None = None) -> dict[str, Any]:
    """Every artifact folder, every folder that was removed and is still there, and how many names are neither."""
    now = time.time() if now is None else now
    ignored: list[str] = []
    found = [_artifact(root, parts, now) for parts in _walk(root, (ARTIFACTS,), 2, ignored)]
    removed = [_removed(root, parts, now) for parts in _walk(root, (REMOVED,), 3, ignored)]
    return {
        "artifacts": [one for one in found if one is not None],
        "removed": [one for one in removed if one is not None],
        "ignored": len(ignored),
    }


def measure(folder: Path) -> Measure | None:
    """What a folder holds; None where it isn't there any more."""
    found, seen, todo = Measure(), set[tuple[int, int]](), [folder]
    try:
        found.newest = folder.lstat().st_mtime
    except OSError:
        return None
    while todo:
        for entry in _entries(todo.pop()):
            try:
                status = entry.stat(follow_symlinks=False)
                below = entry.is_dir(follow_symlinks=False)
            except OSError:
                continue
            found.newest = max(found.newest, status.st_mtime)
            if below:
                todo.append(Path(entry.path))
            elif (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                found.bytes += status.st_size
                found.files += 1
    return found


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda one: one.name)
    except OSError:
        return []


def _walk(root: Path, parts: tuple[str, ...], depth: int, ignored: list[str]) -> Iterator[tuple[str, ...]]:
    """The real folders `depth` levels below `root/parts`; names that can't be ours go into `ignored`."""
    if not depth:
        yield parts
        return
    folder = root.joinpath(*parts)
    for entry in [] if folder.is_symlink() else _entries(folder):
        if NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
            yield from _walk(root, (*parts, entry.name), depth - 1, ignored)
        else:
            ignored.append(entry.path)


def _artifact(root: Path, parts: tuple[str, ...], now: float) -> dict[str, Any] | None:
    found = measure(root.joinpath(*parts))
    if found is None:
        return None
    marker = _marker(root.joinpath(*parts))
    told = {key: value for key, value in sorted((marker or {}).items()) if _short(value)}
    return _figures(parts, found, now) | {
        "kind": parts[1],
        "complete": marker is not None,
        "marker": dict(list(told.items())[:MOST_TOLD]),
    }


def _removed(root: Path, parts: tuple[str, ...], now: float) -> dict[str, Any] | None:
    found = measure(root.joinpath(*parts))
    try:
        since = now - root.joinpath(*parts[:2]).lstat().st_mtime
    except OSError:
        return None
    if found is None:
        return None
    return _figures(parts, found, now) | {"kind": parts[2], "batch": parts[1], "removedSeconds": round(max(since, 0))}


def _figures(parts: tuple[str, ...], found: Measure, now: float) -> dict[str, Any]:
    age = round(max(now - found.newest, 0))
    return {"path": "/".join(parts), "bytes": found.bytes, "files": found.files, "ageSeconds": age}


def _marker(folder: Path) -> dict[str, Any] | None:
    try:
        status = (folder / COMPLETE_MARKER).lstat()
        # What nobody but a stage has written there: a pipe in its place would be waited for without end.
        return read_marker(folder) if stat.S_ISREG(status.st_mode) and status.st_size <= MOST_MARKER else None
    except (OSError, RecursionError):
        return None


def _short(value: Any) -> bool:
    return isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= MOST_TEXT)
