"""Keeps what a pod prints on the volume, since a cluster forgets a pod's log with the pod.

`<run_folder>/logs/<stage>-a<attempt>-<index>.log` holds a line for each that was printed, behind the time at which it
came: `2026-11-29T01:34:01.123456Z text`, as `kubectl logs --timestamps` shows it. A full file becomes `….log.1`, so
that a pod keeps at most 2 * LIMIT bytes: the newest. What threads print never waits for the volume.
"""

import contextlib
import os
import re
import sys
import threading
import time
import traceback
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TextIO

from trainingrun_workers.contract import StageInput
from trainingrun_workers.volume import Volume, make_folder

FOLDER: Final = "logs"  # below the run's folder
LIMIT: Final = 4 * 2**20  # bytes of a file
KEPT_ATTEMPTS: Final = 20  # of a stage and an index: as many as the status lists
WAITING: Final = 20_000  # lines that may wait for the volume; more are left out and counted
MOST_LINE: Final = 16 * 1024  # characters, after which a line is cut, as a container's log does
WRITE_SECONDS: Final = 1.0
CLOSE_SECONDS: Final = 5.0  # that a volume which does not answer holds up the end of a pod
_NAME: Final = re.compile(r"(.+)-a(\d+)-(\d+)\.log(\.1)?")


def log_file(stage_input: StageInput, volume: Volume, index: int) -> Path:
    """Where the log of a pod of this attempt lies."""
    name = f"{stage_input.stage}-a{stage_input.attempt}-{index}.log"
    return volume.path(stage_input.run_folder) / FOLDER / name


def parsed(name: str) -> tuple[str, int, int, bool] | None:
    """Stage, attempt, index and whether it is the older half, of a log's file name; None for any other."""
    found = _NAME.fullmatch(name)
    return (found[1], int(found[2]), int(found[3]), found[4] is not None) if found else None


class PodLog:
    """One pod's log on the volume, written by a thread of its own. What fails here never reaches the stage."""

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        self._path, self._limit = path, limit
        self._waiting: deque[str] = deque()
        self._left_out = 0
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="pod-log", daemon=True)
        self._thread.start()

    def add(self, line: str) -> None:
        """Keep a line, stamped with the present time."""
        if os.getpid() != self._process:  # a forked one, which has neither the thread nor a lock that it can trust
            return
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1e6):06d}Z"
        with self._lock:
            if len(self._waiting) >= WAITING:
                self._left_out += 1
            else:
                self._waiting.append(f"{stamp} {line[:MOST_LINE]}\n")

    def close(self) -> None:
        """Write what waits; a volume that does not answer is given up after CLOSE_SECONDS."""
        self._closing.set()
        self._thread.join(CLOSE_SECONDS)

    def _work(self) -> None:
        with contextlib.suppress(OSError):
            self._prune()
        while True:
            last = self._closing.wait(WRITE_SECONDS)
            with contextlib.suppress(OSError):  # a full volume, for example, which the stage says itself
                self._write()
            if last:
                return

    def _write(self) -> None:
        with self._lock:
            lines, left_out = list(self._waiting), self._left_out
            self._waiting.clear()
            self._left_out = 0
        if left_out:
            lines.append(f"{lines[-1].partition(' ')[0]} … {left_out} lines left out: the volume did not keep up.\n")
        if not lines:
            return
        make_folder(self._path.parent)
        data = "".join(lines).encode(errors="replace")[-self._limit :]
        if self._path.is_file() and self._path.stat().st_size + len(data) > self._limit:
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
        with self._path.open("ab") as file:
            file.write(data)

    def _prune(self) -> None:
        """Remove the logs of this stage's and index's attempts before the newest KEPT_ATTEMPTS."""
        stage, attempt, index, _ = parsed(self._path.name) or ("", 0, 0, False)
        found = {path: parsed(path.name) for path in self._path.parent.glob("*.log*")}
        mine = {path: one[1] for path, one in found.items() if one and (one[0], one[2]) == (stage, index)}
        newest = sorted({attempt, *mine.values()})[-KEPT_ATTEMPTS:]
        for path, number in mine.items():
            if number not in newest:
                path.unlink(missing_ok=True)


class Output:
    """What this process prints through sys.stdout and sys.stderr: as ever, and from `keep` on also on the volume."""

    def __init__(self) -> None:
        self._log: PodLog | None = None
        self._before = sys.stdout, sys.stderr

    def keep(self, path: Path) -> None:
        """Keep from here on what is printed."""
        self._log = PodLog(path)

    def add(self, line: str) -> None:
        """Keep a line, if lines are kept."""
        if self._log is not None:
            self._log.add(line)

    def __enter__(self) -> Self:
        self._before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = _Tee(sys.stdout, self), _Tee(sys.stderr, self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, _Tee):
                stream.end()
        sys.stdout, sys.stderr = self._before
        if error is not None and not isinstance(error, SystemExit):
            for text in traceback.format_exception(kind, error, trace):  # sys.excepthook prints it, but later
                for line in text.splitlines():
                    self.add(line)
        if self._log is not None:
            self._log.close()


class _Tee:
    """A text stream that hands whole lines on to an Output, besides what it is the stand-in for."""

    def __init__(self, stream: TextIO, output: Output) -> None:
        self._stream, self._output = stream, output
        self._begun = ""

    def write(self, text: str) -> int:
        written = self._stream.write(text)
        *lines, begun = (self._begun + text).split("\n")
        self._begun = begun[-MOST_LINE:]
        for line in lines:
            self._output.add(line.rstrip("\r").rpartition("\r")[2])  # of a progress bar, how it ended
        return written

    def end(self) -> None:
        """Hand on a line that has not ended."""
        if self._begun:
            self._output.add(self._begun.rpartition("\r")[2])
            self._begun = ""

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
