"""What is told while one waits: lines on standard error with the seconds since the start, and a heartbeat."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator

_STARTED = time.monotonic()
_HEARTBEAT = 15.0


def elapsed() -> float:
    """Seconds since this program started."""
    return time.monotonic() - _STARTED


def say(text: str) -> None:
    """Print one line with the time so far."""
    print(f"[{elapsed():5.0f} s] {text}", file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """A time for people: `12 s`, `4 min`."""
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


@contextlib.contextmanager
def heartbeat(what: str, expected: float) -> Iterator[None]:
    """Say that `what` begins, that it goes on every 15 s, and how long it took; `expected` in seconds."""
    say(f"{what} (about {duration(expected)})")
    started = time.monotonic()
    done = threading.Event()

    def beat() -> None:
        while not done.wait(_HEARTBEAT):
            say(f"{what}: {duration(time.monotonic() - started)} of about {duration(expected)}")

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    say(f"{what}: done in {duration(time.monotonic() - started)}")
