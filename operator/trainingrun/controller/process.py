"""The operator's process: everything put together, started, watched and ended."""

import asyncio
import logging
import signal
import socket
import uuid
from collections.abc import Coroutine
from typing import Any

from trainingrun.cluster.client import Client
from trainingrun.cluster.lease import Lease
from trainingrun.cluster.shelf import Key
from trainingrun.cluster.store import Store
from trainingrun.controller.forwarding import Forwarder
from trainingrun.controller.health import LAG_SECONDS, OLDEST_KEY_SECONDS, Check, Health, Pulse
from trainingrun.controller.leadership import Alone, Elected, Leadership
from trainingrun.controller.metrics import Metrics
from trainingrun.controller.server import Server
from trainingrun.controller.settings import OperatorSettings
from trainingrun.controller.term import Term
from trainingrun.controller.watches import Watches
from trainingrun.stages.settings import Settings

logger = logging.getLogger(__name__)


class Operator:
    """One operator, or one replica of it; `run` ends when a signal comes or when a part of it has died."""

    def __init__(self, made: Any, settings: Settings, own: OperatorSettings) -> None:
        """`made` is the client's configuration."""
        self.settings, self.own = settings, own
        self.metrics, self.pulse = Metrics(), Pulse()
        self.store = Store(self._ring)
        self.client = Client(made, self.metrics.on_write, self.may_act, self.metrics.on_call)
        self._leadership = _leadership(self.client, own)
        self._watches = Watches(made, self.client, self.store, own, self._ring, self._forget)
        self._forwarder = Forwarder(self._leadership.leader_address)
        self._term: Term | None = None  # while this replica acts
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> int:
        """Work until a signal comes (0), or until a part of the operator ends by itself (1)."""
        self._follow_metrics()
        server = Server(self._reports, self._forwarder, self.metrics, self._health(), lambda: self._watches.ready)
        runner = await server.start(self.own.listen, self.own.port)
        self._heed_signals()
        self._spawn(self._stop_on_signal(), "signals")
        self._spawn(self.pulse.beat(), "pulse")
        self._spawn(self._act(), "acting")
        self._spawn(self._watches.run(self._heed_signals), "watches")
        self._spawn(self._clean_periodically(), "cleaning")
        try:
            done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            return 0 if self._stop.is_set() else _tell_why(done)
        finally:
            await self._end()
            await self._leadership.release()
            await runner.cleanup()
            await self._forwarder.close()
            await self.client.close()

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks, timeout=3.0)

    def _spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        self._tasks.add(asyncio.create_task(coroutine, name=name))

    async def _act(self) -> None:
        """Act while the right to it is had; what a term has begun is over before the next one can begin."""
        while True:
            await self._leadership.acquire()
            keeping = asyncio.create_task(self._leadership.keep())
            working = asyncio.create_task(self._work(Term(self)))
            try:
                done, _ = await asyncio.wait({keeping, working}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                keeping.cancel()
                working.cancel()
                await asyncio.wait({keeping, working})
            for task in done:
                task.result()

    async def _work(self, term: Term) -> None:
        """Decide nothing before the watches have shown all that there is: another replica may have acted until now."""
        await self._watches.caught_up(self.pulse.monotonic())
        self._term = term
        try:
            await term.run()
        finally:
            self._term = None
            term.end()

    async def _clean_periodically(self) -> None:
        while True:
            await asyncio.sleep(self.own.audit_seconds)
            if self._term is not None:
                self._term.clean()

    def may_act(self) -> bool:
        """Whether this replica may act at this moment."""
        return self._leadership.may_act()

    def _ring(self, key: Key) -> None:
        if self._term is not None:  # the beginning of a term rings every run
            self._term.ring(key)

    def _forget(self, key: Key, uid: str) -> None:
        if self._term is not None:
            self._term.forget(key, uid)

    def _reports(self) -> Any:
        return self._term.reports if self._term is not None else None

    def _oldest(self) -> float:
        return self._term.oldest() if self._term is not None else 0.0

    def _health(self) -> Health:
        own = self.own
        return Health(
            (
                Check(
                    lambda: self.pulse.monotonic() - self._watches.in_step_at if self._watches.ready else 0.0,
                    own.deaf_seconds,
                    "The watches have not been in step for {value:.0f} s (limit {limit:.0f} s).",
                ),
                Check(
                    self._oldest,
                    OLDEST_KEY_SECONDS,
                    "A run has been waiting for a pass for {value:.0f} s (limit {limit:.0f} s).",
                ),
                Check(
                    lambda: self.pulse.since_period() if self._term is not None else 0.0,
                    own.period_seconds * 2 + 30.0,
                    "The periodic pass was started {value:.0f} s ago (limit {limit:.0f} s).",
                ),
                Check(self.pulse.lag, LAG_SECONDS, "The event loop was late by {value:.1f} s (limit {limit:.0f} s)."),
            )
        )

    def _follow_metrics(self) -> None:
        follow = self.metrics.follow
        follow(
            "queue_length",
            "Runs that are due or will be.",
            lambda: float(len(self._term) if self._term is not None else 0),
        )
        follow(
            "queue_due", "Runs that are due and not in work yet.", lambda: float(self._term.due() if self._term else 0)
        )
        follow("queue_oldest_seconds", "For how long the oldest due run has waited.", self._oldest)
        follow("loop_lag_seconds", "How late the event loop was, of the last half minute.", self.pulse.lag)
        follow("leader", "Whether this replica acts.", lambda: float(self.may_act()))
        follow(
            "watch_age_seconds",
            "Since when the watches were last seen to be in step.",
            lambda: self.pulse.monotonic() - self._watches.in_step_at,
        )

    def _heed_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for one in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(one, self._stop.set)

    async def _stop_on_signal(self) -> None:
        await self._stop.wait()
        logger.info("The operator was told to end.")


def _leadership(client: Client, own: OperatorSettings) -> Leadership:
    """By the Lease where the settings name one."""
    if not own.lease:
        return Alone()
    namespace, name = own.lease
    # A container that was started anew in its pod is the same replica, since the earlier one is dead for certain.
    identity = own.identity or f"{socket.gethostname()}_{uuid.uuid4()}"
    return Elected(Lease(client, namespace, name), identity, own.address, own.lease_seconds)


def _tell_why(done: set[asyncio.Task[None]]) -> int:
    for task in done:
        error = None if task.cancelled() else task.exception()
        logger.critical("The operator ends because its part %r has ended.", task.get_name(), exc_info=error)
    return 1
