"""Calls that wait for the network, beside the event loop, in threads that nobody waits for at the end.

asyncio's own threads are joined when the loop ends: Ctrl-C would hang as long as a cluster that does not answer.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

Result = TypeVar("Result")


async def in_thread(work: Callable[[], Result]) -> Result:
    """What `work` yields or raises, from a thread of its own."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def settle(put: Callable[[Any], None], value: Any) -> None:
        def now() -> None:
            if not future.done():
                put(value)

        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(now)

    def run() -> None:
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where it is waited for
            settle(future.set_exception, error)
        else:
            settle(future.set_result, result)

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
