"""Keys to look at: each once however often it rings, one pass a key at a time, failures with back-off."""

import asyncio
import heapq
import itertools
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from trainingrun.cluster.shelf import Key

logger = logging.getLogger(__name__)

FIRST_BACKOFF: Final = 0.5  # seconds
LONGEST_BACKOFF: Final = 60.0


class RetryError(Exception):
    """A pass that is worth another try; `after` seconds at least, where somebody has said so."""

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class PassWatcher(Protocol):
    """Who is told of each pass."""

    def __call__(self, seconds: float, outcome: str) -> None:
        """One pass took that long; its outcome is done, repeated (something was in its way), or failed (by a fault)."""


class KeyQueue:
    """A queue of keys, worked off by some workers at once.

    `work(key)` is one pass: it yields after how many seconds the key is due again, None for when something rings. A
    pass that raises is repeated with back-off, whatever it raises: one bad run must not stop the others.
    """

    def __init__(
        self,
        work: Callable[[Key], Awaitable[float | None]],
        clock: Callable[[], float] = time.monotonic,
        watcher: PassWatcher = lambda seconds, outcome: None,
    ) -> None:
        """Start empty; nothing is worked off before `run`."""
        self._work, self._clock, self._watcher = work, clock, watcher
        self._heap: list[tuple[float, int, Key]] = []
        self._due: dict[Key, float] = {}
        self._in_flight: dict[Key, float] = {}
        self._failures: dict[Key, int] = {}
        self._order = itertools.count()
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._due)

    def add(self, key: Key, after: float = 0.0) -> None:
        """Ring a key: it is looked at `after` seconds from now at the latest."""
        due = self._clock() + max(after, 0.0)
        if due < self._due.get(key, float("inf")):
            self._due[key] = due
            if key not in self._in_flight:
                self._push(key)

    def forget(self, key: Key) -> None:
        """Drop a key whose run is gone."""
        self._due.pop(key, None)
        self._failures.pop(key, None)

    def failures(self, key: Key) -> int:
        """How many passes of a key have failed in a row."""
        return self._failures.get(key, 0)

    def due(self) -> int:
        """How many keys are due and not yet in work."""
        now = self._clock()
        return sum(at <= now and key not in self._in_flight for key, at in self._due.items())

    def oldest(self) -> float:
        """For how many seconds the key that has waited longest is overdue or in work; 0.0 where none is."""
        since = [*self._in_flight.values(), *(due for key, due in self._due.items() if key not in self._in_flight)]
        return max(self._clock() - min(since), 0.0) if since else 0.0

    async def run(self, workers: int) -> None:
        """Work off keys until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._worker())

    async def _worker(self) -> None:
        while True:
            key = self._take()
            if key is None:
                await self._wait()
            else:
                await self._one(key)

    def _push(self, key: Key) -> None:
        heapq.heappush(self._heap, (self._due[key], next(self._order), key))
        self._changed.set()

    def _take(self) -> Key | None:
        """The key that has been due longest; keys that are in work are not in the heap."""
        self._drop_stale()
        if not self._heap or self._heap[0][0] > self._clock():
            return None
        _, _, key = heapq.heappop(self._heap)
        del self._due[key]
        self._in_flight[key] = self._clock()
        return key

    def _drop_stale(self) -> None:
        """Drop entries whose key has been rung again for an earlier time, forgotten or taken."""
        while self._heap and (
            self._due.get(self._heap[0][2]) != self._heap[0][0] or self._heap[0][2] in self._in_flight
        ):
            heapq.heappop(self._heap)

    async def _wait(self) -> None:
        """Sleep until the next key is due, or something rings."""
        self._changed.clear()
        timeout = max(self._heap[0][0] - self._clock(), 0.0) if self._heap else None
        try:
            await asyncio.wait_for(self._changed.wait(), timeout)
        except TimeoutError:
            return

    async def _one(self, key: Key) -> None:
        """One pass, in a task of its own so that its failure is a value and not the end of the worker."""
        started = self._clock()
        task = asyncio.ensure_future(self._work(key))
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()
            self._in_flight.pop(key, None)
            if key in self._due:  # it has rung meanwhile
                self._push(key)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        self._watcher(self._clock() - started, _outcome(error))
        if error is not None:
            self._back_off(key, error)
            return
        self._failures.pop(key, None)
        after = task.result()
        if after is not None:
            self.add(key, after)

    def _back_off(self, key: Key, error: BaseException) -> None:
        self._failures[key] = self._failures.get(key, 0) + 1
        wait = min(FIRST_BACKOFF * 2.0 ** (self._failures[key] - 1), LONGEST_BACKOFF)
        if isinstance(error, RetryError):
            wait = max(wait, error.after or 0.0)
            logger.warning("The pass over %s/%s is repeated in %.1f s: %s", *key, wait, error)
        else:
            logger.error("The pass over %s/%s has failed, next try in %.1f s.", *key, wait, exc_info=error)
        self.add(key, wait * random.uniform(0.8, 1.2))


def _outcome(error: BaseException | None) -> str:
    if error is None:
        return "done"
    return "repeated" if isinstance(error, RetryError) else "failed"
