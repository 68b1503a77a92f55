"""The watches of everything that concerns runs, acting or not: a replica that waits has nothing to catch up with."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Final

import kopf

from trainingrun.cluster.audit import Audit
from trainingrun.cluster.client import Client
from trainingrun.cluster.errors import ClusterError
from trainingrun.cluster.kinds import PYTORCHJOB, Kind
from trainingrun.cluster.shelf import Key
from trainingrun.cluster.store import Store
from trainingrun.controller.handlers import WATCHED, kopf_settings, registry
from trainingrun.controller.settings import OperatorSettings

logger = logging.getLogger(__name__)

SERVED_RETRY: Final = 5.0  # seconds between two looks for the kind PyTorchJob
CATCH_UP_SECONDS: Final = 10.0  # until watches that get no further count as deaf
WATCH_RETRY: Final = 3.0  # until watches that kopf has given up are made anew
STOP_SECONDS: Final = 2.0  # that they may take to end
LOOK: Final = 0.05


class Watches:
    """kopf's watches, and the comparison of what they have shown with what the API server has."""

    def __init__(
        self,
        made: Any,
        client: Client,
        store: Store,
        own: OperatorSettings,
        ring: Callable[[Key], None],
        forget: Callable[[Key, str], None],
    ) -> None:
        """`made` is the client's configuration; `ring` asks for a pass, `forget` is told of a run that is gone."""
        self._made, self._client, self._store, self._own = made, client, store, own
        self._ring, self._forget = ring, forget
        self._watches_pytorchjobs = False
        self._audit = Audit(client, store, own.namespaces, lambda: self._watches_pytorchjobs)
        self._shown = self._wanted = float("-inf")  # all that there was then has been shown; and should be
        self._hurry, self._deaf = asyncio.Event(), asyncio.Event()

    @property
    def in_step_at(self) -> float:
        """When the watches were last seen to be in step, by the monotonic clock."""
        return self._audit.in_step_at

    @property
    def ready(self) -> bool:
        """Whether they have shown all that there was at the start."""
        return self._shown > float("-inf")

    async def run(self, heed_signals: Callable[[], None]) -> None:
        """Watch until cancelled; kopf takes the signals to itself, so `heed_signals` is called after it."""
        self._watches_pytorchjobs = await self._first_answer()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch(heed_signals))
            group.create_task(self._watch_pytorchjobs(heed_signals))
            group.create_task(self._compare_periodically())

    async def caught_up(self, since: float) -> None:
        """Wait until all that the API server had at `since`, or later, has been shown."""
        self._wanted = max(self._wanted, since)
        self._hurry.set()
        while self._shown < since:
            await asyncio.sleep(LOOK)

    async def _first_answer(self) -> bool:
        """Whether PyTorchJobs are served, as soon as the API server answers at all."""
        while True:
            try:
                return await self._client.serves(PYTORCHJOB)
            except ClusterError as error:
                logger.warning("The API server does not answer yet: %s", error.message)
                await asyncio.sleep(2.0)

    async def _watch(self, heed_signals: Callable[[], None]) -> None:
        """Watch what every cluster has; what kopf gives up, and what has gone deaf, is made anew."""
        while True:
            await self._watch_once(WATCHED, heed_signals)

    async def _watch_pytorchjobs(self, heed_signals: Callable[[], None]) -> None:
        """Watch PyTorchJobs while they are served, apart from the rest.

        When their definition is taken away their watch ends; kopf never looks again for a kind that it has not found.
        """
        while True:
            while not self._watches_pytorchjobs:
                await asyncio.sleep(SERVED_RETRY)
                self._watches_pytorchjobs = await self._are_pytorchjobs_served(unless_known=False)
                if self._watches_pytorchjobs:
                    logger.info("The API server knows PyTorchJobs now.")
                    for key in self._store.runs.keys():
                        self._ring(key)
            await self._watch_once((PYTORCHJOB,), heed_signals)
            self._watches_pytorchjobs = await self._are_pytorchjobs_served(unless_known=True)

    async def _watch_once(self, kinds: tuple[Kind, ...], heed_signals: Callable[[], None]) -> None:
        """Watch some kinds until kopf gives up or the watches have gone deaf."""
        namespaces = self._own.namespaces
        # Not kopf.operator: when that ends it cancels every task of the process that is younger than itself.
        tasks = await kopf.spawn_tasks(
            registry=registry(kinds, self._store, self._ring, self._forget, self._made),
            settings=kopf_settings(self._own.silence_seconds),
            standalone=True,
            clusterwide=not namespaces,
            namespaces=namespaces,
        )
        heed_signals()  # kopf has put its own in their place
        deaf = asyncio.create_task(self._deaf.wait())
        try:
            done, _ = await asyncio.wait({*tasks, deaf}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _stop({*tasks, deaf})
        if deaf not in done:
            await asyncio.sleep(WATCH_RETRY)

    async def _are_pytorchjobs_served(self, unless_known: bool) -> bool:
        """Whether they are; `unless_known` where the API server does not say."""
        try:
            return await self._client.serves(PYTORCHJOB)
        except ClusterError:
            return unless_known

    async def _compare_periodically(self) -> None:
        while True:
            self._hurry.clear()
            await self._compare()
            if self._shown < self._wanted or not self.ready or self._audit.lacking():
                continue
            try:
                await asyncio.wait_for(self._hurry.wait(), self._own.audit_seconds)
            except TimeoutError:
                continue

    async def _compare(self) -> None:
        """Compare once, and wait a while until the watches have shown what they lack."""
        began = time.monotonic()
        try:
            gone = await self._audit.take()
        except ClusterError as error:
            logger.warning("The watches can't be compared with the API server: %s", error.message)
            await asyncio.sleep(2.0)
            return
        for key in gone:
            self._ring(key)
        if not await self._hear():
            return
        if not self.ready:
            logger.info("The watches are in step: %d runs.", len(self._store.runs))
        self._shown = began

    async def _hear(self) -> bool:
        """Wait until the watches have shown what they lack; watches that get no further are made anew."""
        lacking, since = self._audit.lacking(), time.monotonic()
        while lacking:
            if time.monotonic() - since > CATCH_UP_SECONDS:
                logger.warning("The watches lack %d objects and show nothing new: they are made anew.", lacking)
                deaf, self._deaf = self._deaf, asyncio.Event()
                deaf.set()
                return False
            await asyncio.sleep(LOOK)
            left = self._audit.lacking()
            if left < lacking:
                lacking, since = left, time.monotonic()
        return True


async def _stop(tasks: set["asyncio.Task[Any]"]) -> None:
    """Cancel tasks and see them end; what they failed of is told."""
    for task in tasks:
        task.cancel()
    ended, _ = await asyncio.wait(tasks, timeout=STOP_SECONDS)
    errors = [task.exception() for task in ended if not task.cancelled()]
    for error in [one for one in errors if one is not None]:
        logger.warning("The watches have ended and are made anew: %s: %s", type(error).__name__, error)
