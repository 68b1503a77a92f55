"""What commands read off the volume through a pod: parts of files, what a folder holds, curves and scores.

Every path is relative to the volume's root, lies below `artifacts` or `runs`, and is reached without following a link.
"""

import contextlib
import heapq
import json
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.artifacts.folders import ARTIFACTS, opened
from trainingrun_workers.errors import BadConfig, BadData
from trainingrun_workers.pod_log import FOLDER as LOGS
from trainingrun_workers.pod_log import parsed

ROOTS: Final = (ARTIFACTS, "runs")
CHUNK: Final = 2**20
MOST_DOCUMENT: Final = 2**26  # bytes
PROGRESSION: Final = "progression.json"
POINTS: Final = 2000  # of a curve at most, where nobody asks for another number


def send(root: Path, path: str, offset: int) -> None:
    """Write a file from a byte on to standard output; BadConfig where there is no such file or not so much of it."""
    with _file(root, path) as descriptor:
        size = os.fstat(descriptor).st_size
        if offset > size:
            raise BadConfig("NotSoLong", f"{path} has only {size} bytes, so it can't be read from byte {offset} on.")
        os.lseek(descriptor, offset, os.SEEK_SET)
        while data := os.read(descriptor, CHUNK):
            sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def lines(root: Path, paths: Iterable[str], since: str) -> None:
    """Write the lines of several logs in the order of their times, each behind its log's number: `2 TIME text`.

    Times are texts in one format, which are in order where the times are. Lines from before `since` are left out.
    """
    logs = (_numbered(root, number, path, since.encode()) for number, path in enumerate(paths))
    for _, line in heapq.merge(*logs, key=lambda one: one[0]):
        sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


def files(root: Path, path: str) -> dict[str, Any]:
    """The files of a folder with their sizes, without the folders in it."""
    parts = _parts(path)
    try:
        with opened(root, *parts) as folder, os.scandir(folder) as entries:
            found = [
                {"name": one.name, "bytes": one.stat(follow_symlinks=False).st_size}
                for one in entries
                if one.is_file(follow_symlinks=False)
            ]
    except OSError as error:
        raise _missing(path, error) from error
    return {"files": sorted(found, key=lambda one: str(one["name"]))}


def logs(root: Path, run_folder: str) -> dict[str, Any]:
    """The logs of a run's pods: file, stage, attempt, index, bytes, older half first; none where it has none yet."""
    path = f"{run_folder}/{LOGS}"
    _parts(path)
    if not (root / path).is_dir():
        return {"logs": []}
    found = []
    for one in files(root, path)["files"]:
        known = parsed(one["name"])
        if known is not None:
            stage, attempt, index, older = known
            found.append(
                {"file": f"{path}/{one['name']}", "bytes": one["bytes"], "stage": stage, "attempt": attempt,
                 "index": index, "older": older}
            )  # fmt: skip
    return {"logs": sorted(found, key=lambda one: (one["stage"], one["attempt"], one["index"], not one["older"]))}


def curves(root: Path, folders: Iterable[str], most: int) -> dict[str, Any]:
    """The curve of each folder, by the folder: `summary`, and `series` of at most `most` [step, value, tokens] each."""
    return {folder: _curve(root.joinpath(*_parts(folder)), most) for folder in folders}


def scores(root: Path, folders: Iterable[str]) -> dict[str, Any]:
    """The scores in each evaluate stage's folder: the progression's document, and each model's main scores."""
    return {folder: _scores(root, folder) for folder in folders}


def _numbered(root: Path, number: int, path: str, since: bytes) -> Iterator[tuple[bytes, bytes]]:
    """A log's lines behind the newest time up to there."""
    newest = since
    with _file(root, path) as descriptor, os.fdopen(os.dup(descriptor), "rb") as file:
        for line in file:
            time = line.partition(b" ")[0]
            newest = max(newest, time)
            if time >= since:
                yield newest, b"%d %s\n" % (number, line.rstrip(b"\n"))


def _curve(folder: Path, most: int) -> dict[str, Any]:
    from trainingrun_workers.pretrain import curve
    from trainingrun_workers.report.curves import drawn, summary

    count = sum(1 for _ in curve.lines(folder))
    return {"summary": summary(curve.lines(folder)), "series": drawn(curve.lines(folder), count, most)}


def _scores(root: Path, folder: str) -> dict[str, Any]:
    from trainingrun_workers.evaluate.results import main_scores

    models: dict[str, dict[str, float]] = {}
    progression: dict[str, Any] | None = None
    with contextlib.suppress(BadData):
        for one in files(root, folder)["files"]:
            document = _document(root, f"{folder}/{one['name']}") if one["name"].endswith(".json") else None
            if one["name"] == PROGRESSION:
                progression = document
            elif document:
                with contextlib.suppress(KeyError, TypeError):  # some other document
                    models[str(document["model"])] = main_scores(document)
    return {"progression": progression, "models": models}


def _document(root: Path, path: str) -> dict[str, Any] | None:
    with _file(root, path) as descriptor:
        if os.fstat(descriptor).st_size > MOST_DOCUMENT:
            return None
        with os.fdopen(os.dup(descriptor), "rb") as file:
            try:
                found = json.loads(file.read())
            except ValueError:
                return None
    return found if isinstance(found, dict) else None


def _parts(path: str) -> list[str]:
    parts = path.split("/")
    if parts[0] not in ROOTS or len(parts) < 2 or any(part in ("", ".", "..") for part in parts):
        raise BadConfig("NoPath", f"{path!r} can't be read: name something below {' or '.join(ROOTS)}.")
    return parts


@contextlib.contextmanager
def _file(root: Path, path: str) -> Iterator[int]:
    *folders, name = _parts(path)
    try:
        with opened(root, *folders) as folder:
            # Not blocking, since a pipe in its place would be waited for without end.
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError as error:
        raise _missing(path, error) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise BadConfig("NoFile", f"{path} is no file.")
        yield descriptor
    finally:
        os.close(descriptor)


def _missing(path: str, error: OSError) -> BadData:
    return BadData("Unreadable", f"{path} can't be read on the volume: {error.strerror}.")
