import asyncio

import pytest

from trainingrun.cluster.shelf import Key
from trainingrun.controller.key_queue import KeyQueue, RetryError

A: Key = ("default", "a")
B: Key = ("default", "b")


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Passes:
    """Passes that are noted, held open, and end as the test says."""

    def __init__(self) -> None:
        self.begun: list[Key] = []
        self.results: dict[Key, list[float | None | Exception]] = {}
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, key: Key) -> float | None:
        self.begun.append(key)
        await self.gate.wait()
        result = self.results.get(key, [None])
        one = result.pop(0) if result else None
        if isinstance(one, Exception):
            raise one
        return one


async def work_off(queue: KeyQueue, workers: int = 2) -> asyncio.Task[None]:
    task = asyncio.create_task(queue.run(workers))
    await turn()
    return task


async def turn() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})


async def test_a_key_that_rings_often_is_looked_at_once() -> None:
    passes = Passes()
    queue = KeyQueue(passes, Clock())
    for _ in range(5):
        queue.add(A)
    task = await work_off(queue)
    assert passes.begun == [A]
    await end(task)


async def test_a_key_has_one_pass_at_a_time_and_is_looked_at_again_if_it_rang_meanwhile() -> None:
    passes = Passes()
    passes.gate.clear()
    queue = KeyQueue(passes, Clock())
    queue.add(A)
    task = await work_off(queue)
    queue.add(A)
    queue.add(B)
    await turn()
    assert passes.begun == [A, B]
    passes.gate.set()
    await turn()
    assert passes.begun == [A, B, A]
    await end(task)


async def test_a_pass_says_when_the_key_is_due_again() -> None:
    passes, clock = Passes(), Clock()
    passes.results[A] = [30.0]
    queue = KeyQueue(passes, clock)
    queue.add(A)
    task = await work_off(queue)
    assert (passes.begun, len(queue)) == ([A], 1)
    clock.now += 31
    queue.add(B)
    await turn()
    assert sorted(passes.begun) == [A, A, B]
    await end(task)


async def test_an_earlier_ring_beats_a_later_one() -> None:
    passes, clock = Passes(), Clock()
    queue = KeyQueue(passes, clock)
    queue.add(A, after=60)
    queue.add(A, after=5)
    queue.add(A, after=90)
    clock.now += 6
    task = await work_off(queue)
    assert (passes.begun, len(queue)) == ([A], 0)
    await end(task)


@pytest.mark.parametrize("error", [RetryError("busy"), ZeroDivisionError()])
async def test_a_failed_pass_is_repeated_with_growing_waits_and_stops_no_other_key(error: Exception) -> None:
    passes, clock = Passes(), Clock()
    passes.results[A] = [error, error, error, None]
    queue = KeyQueue(passes, clock)
    queue.add(A)
    task = await work_off(queue)
    assert queue.failures(A) == 1
    for wait in (0.7, 1.3, 2.5):
        clock.now += wait
        queue.add(B)
        await turn()
    assert passes.begun.count(A) == 4
    assert passes.begun.count(B) == 3
    assert queue.failures(A) == 0
    await end(task)


async def test_a_wait_that_the_api_server_asks_for_is_kept() -> None:
    passes, clock = Passes(), Clock()
    passes.results[A] = [RetryError("busy", after=40.0), None]
    queue = KeyQueue(passes, clock)
    queue.add(A)
    task = await work_off(queue)
    clock.now += 30
    queue.add(B)
    await turn()
    assert passes.begun == [A, B]
    await end(task)


async def test_the_oldest_key_is_the_one_that_is_overdue_or_stuck() -> None:
    passes, clock = Passes(), Clock()
    passes.gate.clear()
    queue = KeyQueue(passes, clock)
    assert queue.oldest() == 0.0
    queue.add(A)
    queue.add(B, after=500)
    task = await work_off(queue)
    clock.now += 130
    assert queue.oldest() == 130.0
    passes.gate.set()
    await turn()
    assert queue.oldest() == 0.0
    await end(task)


async def test_a_key_that_was_forgotten_is_not_looked_at() -> None:
    passes, clock = Passes(), Clock()
    queue = KeyQueue(passes, clock)
    queue.add(A)
    queue.forget(A)
    task = await work_off(queue)
    assert passes.begun == []
    await end(task)


async def test_a_delayed_key_wakes_a_sleeping_worker_by_itself() -> None:
    passes = Passes()
    queue = KeyQueue(passes)
    queue.add(A, after=0.02)
    task = asyncio.create_task(queue.run(1))
    async with asyncio.timeout(5):
        while not passes.begun:
            await asyncio.sleep(0.005)
    await end(task)


async def test_each_pass_is_told_of_by_its_outcome() -> None:
    passes, outcomes = Passes(), list[str]()
    passes.results = {A: [RetryError("busy"), ValueError("a fault"), None]}
    clock = Clock()
    queue = KeyQueue(passes, clock, lambda seconds, outcome: outcomes.append(outcome))
    queue.add(A)
    queue.add(B, after=50.0)
    assert (queue.due(), len(queue)) == (1, 2)
    task = asyncio.create_task(queue.run(1))
    while len(outcomes) < 3:
        clock.now += 1.0
        queue.add(A)
        await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert outcomes[:3] == ["repeated", "failed", "done"]
