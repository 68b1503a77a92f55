"""Batches are encoded ahead, in threads beside the main one.

Both libraries let go of Python's lock while they work, so that threads gain as much as the cores give. Reading, cutting
and writing stay with the main thread, which feeds about three others.
"""

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, Generic, TypeVar

from trainingrun_workers.tokenization.cutting import Batch

MOST_THREADS: Final = 4
Done = TypeVar("Done")
Asked = Callable[[], Done]


class DoneAhead(Generic[Done]):
    """Threads that work on batches; with one thread all is done where it is asked for."""

    def __init__(self, threads: int) -> None:
        number = min(threads, MOST_THREADS)
        self._pool = ThreadPoolExecutor(number, "encode") if number > 1 else None
        self._ahead = number + 1  # batches that are on their way, so that no thread has to wait for the next

    def done(self, batches: Iterator[Batch], work: Callable[[Batch, int], Done]) -> Iterator[tuple[Batch, Asked[Done]]]:
        """The batches in order, each with what yields its work's result, or raises what the work has raised.

        `work` is told how many documents end before the batch.
        """
        waiting: deque[tuple[Batch, Asked[Done]]] = deque()
        documents, there = 0, True
        while there or waiting:
            for batch in itertools.islice(batches, self._ahead - len(waiting) if self._pool is not None else 1):
                call = partial(work, batch, documents)
                waiting.append((batch, call if self._pool is None else self._pool.submit(call).result))
                documents += batch.documents
            there = bool(waiting)
            if waiting:
                yield waiting.popleft()
