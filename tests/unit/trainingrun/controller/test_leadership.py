import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from trainingrun.cluster.errors import StaleError, TemporaryError
from trainingrun.cluster.lease import Record, record
from trainingrun.controller.leadership import Alone, Elected

SECONDS = 1  # of the Lease; its holder stops after three quarters of it


class Board:
    """A Lease that replicas of one process see; it takes a write only in the version that it has."""

    def __init__(self) -> None:
        self.record, self.fails, self.delay, self.writes = Record(), False, 0.0, 0

    async def read(self) -> Record:
        if self.fails:
            raise TemporaryError("The API server can't be reached.")
        return self.record

    async def write(self, wanted: Record, now: float) -> Record:
        await self.read()
        if wanted.version != self.record.version:
            raise StaleError("The object has been modified.", 409)
        self.writes += 1
        self.record = dataclasses.replace(wanted, version=str(self.writes))
        await asyncio.sleep(self.delay)
        return self.record


def replica(board: Board, name: str, **more: Any) -> Elected:
    lease: Any = board
    return Elected(lease, name, f"http://{name}", SECONDS, **more)


@asynccontextmanager
async def acting(one: Elected) -> AsyncIterator["asyncio.Task[None]"]:
    """A replica that has the Lease and keeps it."""
    await asyncio.wait_for(one.acquire(), 0.5)
    task = asyncio.create_task(one.keep())
    yield task
    task.cancel()


async def test_a_free_lease_is_taken_at_once_and_kept() -> None:
    board = Board()
    first, second = replica(board, "first"), replica(board, "second")
    async with acting(first):
        waiting = asyncio.create_task(second.acquire())
        for _ in range(20):
            await asyncio.sleep(0.1)
            assert first.may_act() and not second.may_act()
        assert (first.leader_address(), second.leader_address()) == ("", "http://first")
        waiting.cancel()
    assert board.record.transitions == 0


async def test_what_is_released_is_taken_at_the_next_look() -> None:
    board = Board()
    first, second = replica(board, "first"), replica(board, "second")
    async with acting(first) as keeping:
        waiting = asyncio.create_task(second.acquire())
        await asyncio.sleep(0.3)
        keeping.cancel()
        await first.release()
        assert not first.may_act()
        await asyncio.wait_for(waiting, 1.2)
    assert (board.record.holder, board.record.transitions) == ("second", 1)


async def test_who_has_died_is_followed_when_the_lease_has_stood_still_for_its_duration() -> None:
    board = Board()
    first, second = replica(board, "first"), replica(board, "second")
    async with acting(first) as keeping:
        keeping.cancel()
    began = time.monotonic()
    await asyncio.wait_for(second.acquire(), 3.5)
    assert time.monotonic() - began >= SECONDS
    assert not first.may_act()


async def test_a_container_that_was_started_anew_goes_on_at_once() -> None:
    board = Board()
    async with acting(replica(board, "pod-1")) as keeping:
        keeping.cancel()
    again = replica(board, "pod-1")
    await asyncio.wait_for(again.acquire(), 0.3)
    assert board.record.transitions == 0


async def test_who_cant_renew_stops_before_another_may_begin() -> None:
    board = Board()
    one = replica(board, "one")
    async with acting(one) as keeping:
        board.fails = True
        began = time.monotonic()
        await asyncio.wait_for(keeping, SECONDS)
        assert time.monotonic() - began < 0.8 * SECONDS
        assert not one.may_act()
        board.fails = False
        await asyncio.wait_for(one.acquire(), 0.8)


async def test_who_was_paused_may_not_act_from_the_first_moment_on() -> None:
    board, slept = Board(), 0.0
    one = replica(board, "one", clock=lambda: time.monotonic() + slept)
    async with acting(one) as keeping:
        await asyncio.sleep(0)
        slept = 0.8
        assert not one.may_act()
        # Nobody has taken over. All the same this term is over, since somebody might have.
        await asyncio.wait_for(keeping, 0.5)
        assert not one.may_act()


async def test_a_renewal_whose_answer_comes_too_late_does_not_count() -> None:
    board, slept = Board(), 0.0
    one = replica(board, "one", clock=lambda: time.monotonic() + slept)
    async with acting(one) as keeping:
        board.delay = 0.15
        while board.writes < 2:
            await asyncio.sleep(0.01)
        slept = 5.0  # between the renewal and its answer
        await asyncio.wait_for(keeping, 0.5)
        assert not one.may_act()


async def test_who_sees_another_holder_stops_at_once() -> None:
    board = Board()
    one = replica(board, "one")
    async with acting(one) as keeping:
        board.record = dataclasses.replace(board.record, holder="other", version="x")
        await asyncio.wait_for(keeping, 0.5)
        assert not one.may_act()


async def test_a_change_by_somebody_else_does_not_end_a_term() -> None:
    board = Board()
    one = replica(board, "one")
    async with acting(one):
        board.record = dataclasses.replace(board.record, version="annotated")
        await asyncio.sleep(0.9)
        assert one.may_act()


async def test_without_a_lease_an_operator_always_acts() -> None:
    alone = Alone()
    await alone.acquire()
    assert alone.may_act()
    assert alone.leader_address() == ""


def test_a_lease_is_read_as_kubectl_shows_it() -> None:
    raw = {
        "metadata": {"resourceVersion": "7", "annotations": {"trainingrun.dev/address": "http://10.0.0.1:8080"}},
        "spec": {"holderIdentity": "pod_uid", "leaseDurationSeconds": 12, "leaseTransitions": 3, "acquireTime": "t"},
    }
    assert record(raw) == Record("pod_uid", "http://10.0.0.1:8080", 12, "t", 3, "7")
    assert record({"metadata": {"resourceVersion": "8"}, "spec": {}}) == Record(version="8")
