"""The operator's process: everything put together, started, watched and ended."""

import asyncio
import logging
import random
import signal
from collections.abc import Coroutine
from typing import Any, Final

import kopf

from trainingrun.cluster.apply import Applier
from trainingrun.cluster.audit import Audit
from trainingrun.cluster.client import Client
from trainingrun.cluster.errors import ClusterError
from trainingrun.cluster.events import EventWriter
from trainingrun.cluster.kinds import PYTORCHJOB, Kind
from trainingrun.cluster.observe import Observer
from trainingrun.cluster.problems import Problems
from trainingrun.cluster.snapshots import Snapshots
from trainingrun.cluster.store import Store
from trainingrun.controller.handlers import WATCHED, kopf_settings, registry
from trainingrun.controller.health import LAG_SECONDS, OLDEST_KEY_SECONDS, Check, Health, Pulse
from trainingrun.controller.key_queue import KeyQueue
from trainingrun.controller.metrics import Metrics
from trainingrun.controller.reconcile import Reconciler
from trainingrun.controller.reports import Reports
from trainingrun.controller.server import Server
from trainingrun.controller.settings import OperatorSettings
from trainingrun.stages.settings import Settings

logger = logging.getLogger(__name__)

SERVED_RETRY: Final = 20.0  # seconds between two looks for the kind PyTorchJob
CATCH_UP_SECONDS: Final = 10.0  # until the start compares anew


class Operator:
    """One operator; `run` ends when a signal comes or when a part of it has died."""

    def __init__(self, made: Any, settings: Settings, own: OperatorSettings) -> None:
        """`made` is the client's configuration."""
        self._made, self._own = made, own
        self._metrics, self._pulse = Metrics(), Pulse()
        self._store = Store(lambda key: self._queue.add(key))
        self._client = Client(made, self._metrics.on_write)
        snapshots, problems = Snapshots(), Problems()
        self._observer = Observer(self._client, self._store, snapshots, problems, own.read_nodes)
        self._events = EventWriter(self._client, lambda: self._queue.oldest() > 1.0)
        applier = Applier(self._client, self._store, self._observer, problems, self._events)
        self._reconciler = Reconciler(
            self._store, snapshots, problems, self._observer, applier, settings, self._metrics
        )
        self._queue = KeyQueue(self._reconciler.reconcile, watcher=self._metrics.on_pass)
        self._watches_pytorchjobs = False
        self._audit = Audit(self._client, self._store, own.namespaces, lambda: self._watches_pytorchjobs)
        self._reports = Reports(self._client, self._store, snapshots, self._queue.add)
        self._ready, self._stop = False, asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> int:
        """Work until a signal comes (0), or until a part of the operator ends by itself (1)."""
        self._follow_metrics()
        server = Server(self._reports, self._metrics, self._health(), lambda: self._ready)
        runner = await server.start(self._own.listen, self._own.port)
        self._heed_signals()
        self._spawn(self._stop_on_signal(), "signals")
        self._spawn(self._pulse.beat(), "pulse")
        self._spawn(self._work(), "work")
        try:
            done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            return 0 if self._stop.is_set() else _tell_why(done)
        finally:
            await self._end()
            await runner.cleanup()
            await self._client.close()

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks, timeout=3.0)

    def _spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        self._tasks.add(asyncio.create_task(coroutine, name=name))

    async def _work(self) -> None:
        """The watches first, then the queue: a pass over half of what there is would decide wrongly."""
        served = await self._first_answer()
        kinds = (*WATCHED, PYTORCHJOB) if served else WATCHED
        self._watches_pytorchjobs = served
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch(kinds))
            await self._catch_up()
            self._ready = True
            logger.info("The watches are in step: %d runs.", len(self._store.runs))
            group.create_task(self._queue.run(self._own.workers))
            group.create_task(self._events.run())
            group.create_task(self._periodically())
            group.create_task(self._audit_periodically())
            if not served:
                group.create_task(self._watch_pytorchjobs_when_served())

    async def _first_answer(self) -> bool:
        """Whether PyTorchJobs are served, as soon as the API server answers at all."""
        while True:
            try:
                return await self._observer.serves_pytorchjobs()
            except ClusterError as error:
                logger.warning("The API server does not answer yet: %s", error.message)
                await asyncio.sleep(2.0)

    async def _watch(self, kinds: tuple[Kind, ...]) -> None:
        """Run kopf's watches of some kinds; ends only with an error."""
        started = asyncio.Event()
        namespaces = self._own.namespaces
        task = asyncio.ensure_future(
            kopf.operator(
                registry=registry(kinds, self._store, self._queue.add, self._reconciler.forget, self._made),
                settings=kopf_settings(self._own.silence_seconds),
                standalone=True,
                clusterwide=not namespaces,
                namespaces=namespaces,
                ready_flag=started,
            )
        )
        try:
            await asyncio.wait({task, asyncio.ensure_future(started.wait())}, return_when=asyncio.FIRST_COMPLETED)
            self._heed_signals()  # kopf has put its own in their place
            await task
        finally:
            task.cancel()
        raise RuntimeError("kopf's watches have ended.")

    async def _watch_pytorchjobs_when_served(self) -> None:
        while not await self._are_pytorchjobs_served():
            await asyncio.sleep(SERVED_RETRY)
        logger.info("The API server knows PyTorchJobs now.")
        self._watches_pytorchjobs = True
        self._ring_all()
        await self._watch((PYTORCHJOB,))

    async def _are_pytorchjobs_served(self) -> bool:
        try:
            return await self._observer.serves_pytorchjobs()
        except ClusterError:
            return False

    async def _catch_up(self) -> None:
        """Wait until the watches have shown all that the API server has."""
        deadline = 0.0
        clock = asyncio.get_running_loop().time
        while True:
            try:
                if clock() >= deadline:
                    await self._audit.take()
                    deadline = clock() + CATCH_UP_SECONDS
                if self._audit.caught_up():
                    return
            except ClusterError as error:
                logger.warning("What there is can't be listed yet: %s", error.message)
                await asyncio.sleep(2.0)
            await asyncio.sleep(0.1)

    async def _periodically(self) -> None:
        """Ring every run now and then: what was lost on the way is found again."""
        while True:
            self._pulse.period_started()
            self._ring_all(spread=self._own.period_seconds / 2)
            await asyncio.sleep(self._own.period_seconds)

    def _ring_all(self, spread: float = 0.0) -> None:
        for key in self._store.runs.keys():
            self._queue.add(key, random.uniform(0.0, spread))

    async def _audit_periodically(self) -> None:
        while True:
            await asyncio.sleep(self._own.audit_seconds)
            self._observer.clean()
            self._reports.clean()
            try:
                gone = await self._audit.take()
            except ClusterError as error:
                logger.warning("The watches can't be compared with the API server: %s", error.message)
                continue
            for key in gone:
                self._queue.add(key)

    def _health(self) -> Health:
        own = self._own
        return Health(
            (
                Check(
                    lambda: self._pulse.monotonic() - self._audit.in_step_at if self._ready else 0.0,
                    own.deaf_seconds,
                    "The watches have not been in step for {value:.0f} s (limit {limit:.0f} s).",
                ),
                Check(
                    lambda: self._queue.oldest() if self._ready else 0.0,
                    OLDEST_KEY_SECONDS,
                    "A run has been waiting for a pass for {value:.0f} s (limit {limit:.0f} s).",
                ),
                Check(
                    lambda: self._pulse.since_period() if self._ready else 0.0,
                    own.period_seconds * 2 + 30.0,
                    "The periodic pass was started {value:.0f} s ago (limit {limit:.0f} s).",
                ),
                Check(self._pulse.lag, LAG_SECONDS, "The event loop was late by {value:.1f} s (limit {limit:.0f} s)."),
            )
        )

    def _follow_metrics(self) -> None:
        follow = self._metrics.follow
        follow("queue_length", "Runs that are due or will be.", lambda: float(len(self._queue)))
        follow("queue_oldest_seconds", "For how long the oldest due run has waited.", self._queue.oldest)
        follow("loop_lag_seconds", "How late the event loop was, of the last half minute.", self._pulse.lag)
        follow(
            "watch_age_seconds",
            "Since when the watches were last seen to be in step.",
            lambda: self._pulse.monotonic() - self._audit.in_step_at,
        )

    def _heed_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for one in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(one, self._stop.set)

    async def _stop_on_signal(self) -> None:
        await self._stop.wait()
        logger.info("The operator was told to end.")


def _tell_why(done: set[asyncio.Task[None]]) -> int:
    for task in done:
        error = None if task.cancelled() else task.exception()
        logger.critical("The operator ends because its part %r has ended.", task.get_name(), exc_info=error)
    return 1
