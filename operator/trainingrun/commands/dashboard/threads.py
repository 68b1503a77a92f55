"""Calls that wait for the network, beside the event loop, in threads that nobody waits for at the end.

asyncio's own threads are joined when the loop ends: Ctrl-C would hang as long as a cluster that does not answer.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from trainingrun.commands.manifest import CommandError

Result = TypeVar("Result")


async def in_thread(work: Callable[[], Result]) -> Result:
    """What `work` yields, from a thread of its own, or the CommandError that it raises.

    CancelledError where it raises anything else, which is a mistake in the program and told on standard error.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def settle(put: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(lambda: None if future.done() else put())

    def run() -> None:
        try:
            result = work()
            settle(lambda: future.set_result(result))
        except CommandError as error:
            told = error
            settle(lambda: future.set_exception(told))
        finally:
            settle(future.cancel)

    threading.Thread(target=run, daemon=True).start()
    return await future


class Errand:
    """Work that goes on by itself, one at a time: whoever asks gets on without it."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None

    def start(self, work: Callable[[], None], wait: float) -> None:
        """Begin, unless it is being done already, and give it `wait` seconds; what it raises ends it alone."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=work, daemon=True)
            self._thread.start()
            self._thread.join(wait)
