"""Answers that are good enough for some seconds."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Name = TypeVar("Name")
Answer = TypeVar("Answer")


class Recent(Generic[Name, Answer]):
    """Remembers answers for a while; those who ask for the same at once share one question."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start empty; `clock` counts seconds."""
        self._clock = clock
        self._answers: dict[Name, tuple[float, Answer]] = {}
        self._asking: dict[Name, asyncio.Task[Answer]] = {}

    async def get(self, name: Name, seconds: float, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer that is at most `seconds` old, else the one that `ask` gives now."""
        known = self._answers.get(name)
        if known is not None and self._clock() - known[0] < seconds:
            return known[1]
        task = self._asking.get(name)
        if task is None:
            task = asyncio.ensure_future(self._ask(name, ask))
            self._asking[name] = task
            task.add_done_callback(lambda _: self._asking.pop(name, None))
        # One who is cancelled leaves the question to the others.
        return await asyncio.shield(task)

    def forget(self, name: Name) -> None:
        """Ask anew next time."""
        self._answers.pop(name, None)

    def clean(self, seconds: float) -> None:
        """Drop answers that are older than that."""
        oldest = self._clock() - seconds
        self._answers = {name: known for name, known in self._answers.items() if known[0] >= oldest}

    async def _ask(self, name: Name, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        answer = await ask()
        self._answers[name] = (self._clock(), answer)
        return answer
