"""Which replica acts: one at a time, by a Lease.

Nobody looks at another's clock. The holder counts from before it sent its last renewal, by a clock that goes on while
the machine sleeps, and stops acting some seconds before others may take over. Others count from when they have seen
the Lease change.
"""

import asyncio
import dataclasses
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from trainingrun.cluster.errors import ClusterError, StaleError
from trainingrun.cluster.lease import Lease, Record

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0  # between two looks of a replica that waits
RETRY_SECONDS: Final = 0.5  # after a renewal that has failed
NEVER: Final = float("-inf")
# Shares of the Lease's duration.
ACT: Final = 0.75  # the holder may act for so long after its last renewal
RENEW: Final = 1 / 6  # time between two renewals
TIMEOUT: Final = 1 / 3  # of one call: a second one fits into the time that is left
RELEASE_SECONDS: Final = 2.0  # that an end waits for its release at most


def suspend_safe_clock() -> float:
    """Seconds on a clock that nobody sets and that goes on while the machine sleeps, where the system has one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Leadership(Protocol):
    """The right to act."""

    def may_act(self) -> bool:
        """Whether a write may be sent at this moment."""

    def leader_address(self) -> str:
        """Where another replica takes reports; empty where none is known to act."""

    async def acquire(self) -> None:
        """Wait for the right to act."""

    async def keep(self) -> None:
        """Keep it; ends when it is lost, and it is not had again before `acquire`."""

    async def release(self) -> None:
        """Give it back, so that another replica has it at once."""


class Alone:
    """An operator that has no Lease, and always may act."""

    def may_act(self) -> bool:
        """Always."""
        return True

    def leader_address(self) -> str:
        """There is no other."""
        return ""

    async def acquire(self) -> None:
        """At once."""

    async def keep(self) -> None:
        """For ever."""
        await asyncio.Event().wait()

    async def release(self) -> None:
        """Nobody waits for it."""


class Elected:
    """A replica that acts while it holds a Lease."""

    def __init__(
        self,
        lease: Lease,
        identity: str,
        address: str,
        seconds: int,
        clock: Callable[[], float] = suspend_safe_clock,
    ) -> None:
        """One of `identity`, which nobody else may have at the same time, that takes reports at `address`."""
        self._lease, self._identity, self._address, self._seconds = lease, identity, address, seconds
        self._clock = clock
        self._until = NEVER  # by the clock: when this replica may no longer act
        self._known: Record | None = None  # what the Lease said last; None where that is in doubt
        self._version, self._changed_at = "", 0.0  # the last change of the Lease, and when it was seen
        self._told = ""

    def may_act(self) -> bool:
        """Whether the Lease was renewed recently enough."""
        return self._clock() < self._until

    def leader_address(self) -> str:
        """The holder's address, unless that is this replica or nobody."""
        known = self._known
        return known.address if known is not None and known.holder not in ("", self._identity) else ""

    async def acquire(self) -> None:
        """Wait until the Lease is free, released, expired or this replica's own from before a restart, and take it."""
        while not self.may_act():
            wait = await self._attempt(self._try_to_take, self._seconds * TIMEOUT, LOOK_SECONDS)
            if not self.may_act():
                await asyncio.sleep(wait)
        logger.info("This replica, %s, acts from now on.", self._identity)

    async def keep(self) -> None:
        """Renew until that fails for too long, or another replica has taken over."""
        wait = every = self._seconds * RENEW
        while self.may_act():
            await asyncio.sleep(min(wait, self._left()))
            if self.may_act():
                wait = await self._attempt(self._renew, min(self._seconds * TIMEOUT, self._left()), every)
        self._until = NEVER
        logger.warning("This replica, %s, could not keep its Lease: it does not act any more.", self._identity)

    async def release(self) -> None:
        """Let another replica take over at once."""
        held, self._until = self.may_act(), NEVER
        for _ in range(2 if held else 0):  # a renewal that was cut short may have changed the version
            await self._attempt(self._give_back, RELEASE_SECONDS, 0.0)

    def _left(self) -> float:
        return max(self._until - self._clock(), 0.0)

    async def _attempt(self, call: Callable[[], Awaitable[None]], seconds: float, wait: float) -> float:
        """Make one call with a limit; after how many seconds to make the next: `wait` where this one went well."""
        try:
            async with asyncio.timeout(seconds):
                await call()
        except StaleError:
            self._known = None  # somebody has changed it, perhaps an own call whose answer never came
            return 0.0
        except TimeoutError:
            self._tell(f"no answer within {seconds:.1f} s")
            return RETRY_SECONDS
        except ClusterError as error:
            self._tell(error.message)
            return RETRY_SECONDS
        self._told = ""
        return wait

    def _tell(self, what: str) -> None:
        """Log what is wrong with the Lease, once."""
        if what != self._told:
            logger.warning("The Lease can't be read or written: %s", what)
        self._told = what

    async def _try_to_take(self) -> None:
        known = await self._lease.read()
        if known.version != self._version:
            self._version, self._changed_at = known.version, self._clock()
        self._known = known
        own = known.holder == self._identity
        if own or not known.holder or self._clock() - self._changed_at > (known.seconds or self._seconds):
            taken = 0 if own or not known.version else 1
            fresh = Record(
                acquired_at=known.acquired_at if own else "",
                transitions=known.transitions + taken,
                version=known.version,
            )
            began = self._clock()
            await self._write(self._held(fresh))
            self._until = began + self._seconds * ACT

    async def _renew(self) -> None:
        known = self._known or await self._lease.read()
        if known.holder != self._identity:
            self._known, self._until = known, NEVER
            return
        self._known = None  # in doubt until there is an answer
        began = self._clock()
        await self._write(self._held(known))
        if self.may_act():  # or it came too late, and another replica may have acted meanwhile
            self._until = began + self._seconds * ACT

    async def _give_back(self) -> None:
        known = self._known or await self._lease.read()
        if known.holder == self._identity:
            await self._write(dataclasses.replace(known, holder="", address=""))

    def _held(self, known: Record) -> Record:
        return dataclasses.replace(known, holder=self._identity, address=self._address, seconds=self._seconds)

    async def _write(self, wanted: Record) -> None:
        self._known = await self._lease.write(wanted, time.time())
