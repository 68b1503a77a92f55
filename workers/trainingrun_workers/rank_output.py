"""What the ranks of a pod print, each line behind its rank: `[rank 3] text`.

Each rank prints into a pipe of its own, a named one in the folder that it shares with the pod's main process, which
alone reads it. So lines of ranks never mix, and a rank that dies takes none of its last words with it.
"""

import contextlib
import os
import selectors
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Self

SUFFIX: Final = "out"
CHUNK: Final = 65536
POLL_SECONDS: Final = 0.2
DRAIN_SECONDS: Final = 5.0  # at most, for what was printed last
MOST_BEGUN: Final = 65536  # bytes without an end of line, after which they are shown as a line


class RankOutput:
    """Shows on standard output what a pod's ranks print, and what torchrun prints into `descriptor`."""

    def __init__(self, folder: Path, ranks: Iterable[int]) -> None:
        self._selector = selectors.DefaultSelector()
        self._begun: dict[str, bytes] = {}
        self._closing = threading.Event()
        for rank in ranks:
            path = folder / f"{rank}.{SUFFIX}"
            os.mkfifo(path)
            # Open for writing too: so it has never been closed by all, and a rank that opens it need not wait.
            self._watch(os.open(path, os.O_RDWR | os.O_NONBLOCK), f"[rank {rank}] ")
        own, self.descriptor = os.pipe()
        os.set_blocking(own, False)
        self._watch(own, "")
        self._thread = threading.Thread(target=self._work, name="rank-output", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Show all that was printed; for when the ranks have ended."""
        self._closing.set()
        self._thread.join()
        os.close(self.descriptor)
        for key in list(self._selector.get_map().values()):
            os.close(key.fd)
        self._selector.close()

    def _watch(self, descriptor: int, prefix: str) -> None:
        self._selector.register(descriptor, selectors.EVENT_READ, prefix)
        self._begun[prefix] = b""

    def _work(self) -> None:
        until = float("inf")
        while time.monotonic() < until:
            last = self._closing.is_set()
            until = min(until, time.monotonic() + DRAIN_SECONDS) if last else until
            ready = self._selector.select(0 if last else POLL_SECONDS)
            for key, _ in ready:
                with contextlib.suppress(BlockingIOError):
                    self._take(key.data, os.read(key.fd, CHUNK))
            if last and not ready:
                break
        for prefix, begun in self._begun.items():
            if begun:
                self._show(prefix, [begun])

    def _take(self, prefix: str, data: bytes) -> None:
        *lines, begun = (self._begun[prefix] + data).split(b"\n")
        if len(begun) > MOST_BEGUN:
            lines, begun = [*lines, begun], b""
        self._begun[prefix] = begun
        self._show(prefix, lines)

    @staticmethod
    def _show(prefix: str, lines: Iterable[bytes]) -> None:
        # Whoever reads the pod's output may be gone; the ranks must be able to print on.
        with contextlib.suppress(OSError, ValueError):
            for line in lines:
                shown = line.rstrip(b"\r").rpartition(b"\r")[2].decode(errors="replace")
                sys.stdout.write(f"{prefix}{shown}\n")
            sys.stdout.flush()


def print_into(path: Path) -> None:
    """Let this process and those it starts print into a pipe of RankOutput's; nothing changes where there is none."""
    with contextlib.suppress(OSError):
        pipe = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        os.set_blocking(pipe, True)
        for descriptor in (1, 2):
            os.dup2(pipe, descriptor)
        os.close(pipe)
