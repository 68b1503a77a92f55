"""Calls beside the event loop."""

import asyncio
import queue
import threading
import time

import pytest

from trainingrun import CommandError
from trainingrun.commands.dashboard.threads import Errand, in_thread


def refuse() -> None:
    raise CommandError("No.")


async def test_what_a_call_yields_or_refuses_arrives() -> None:
    assert await in_thread(lambda: 3) == 3
    with pytest.raises(CommandError, match=r"No\."):
        await in_thread(refuse)


async def test_a_mistake_leaves_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    told: queue.SimpleQueue[object] = queue.SimpleQueue()
    monkeypatch.setattr(threading, "excepthook", lambda args: told.put(args.exc_type))
    with pytest.raises(asyncio.CancelledError):
        await in_thread(lambda: 1 / 0)
    assert told.get(timeout=10) is ZeroDivisionError  # told as the thread ends, which may be a little later


def test_an_errand_is_done_once_at_a_time_and_not_waited_for() -> None:
    go, done = threading.Event(), []

    def work() -> None:
        go.wait(10)
        done.append(1)

    errand, started = Errand(), time.monotonic()
    errand.start(work, 0.05)
    errand.start(work, 0.05)
    assert time.monotonic() - started < 5
    assert done == []
    go.set()
    errand.start(lambda: None, 5)
    while not done and time.monotonic() - started < 10:
        time.sleep(0.01)
    assert done == [1]
