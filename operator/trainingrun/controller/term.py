"""One time of acting: from the winning of the Lease to its loss. Nothing that it remembers outlives it."""

import asyncio
import random
from typing import Protocol

from trainingrun.cluster.apply import Applier
from trainingrun.cluster.client import Client
from trainingrun.cluster.deliveries import Deliveries
from trainingrun.cluster.events import EventWriter
from trainingrun.cluster.observe import Observer
from trainingrun.cluster.problems import Problems
from trainingrun.cluster.shelf import Key
from trainingrun.cluster.snapshots import Snapshots
from trainingrun.cluster.store import Store
from trainingrun.controller.health import Pulse
from trainingrun.controller.key_queue import KeyQueue
from trainingrun.controller.metrics import Metrics
from trainingrun.controller.notifier import Notifier
from trainingrun.controller.reconcile import Reconciler
from trainingrun.controller.reports import Reports
from trainingrun.controller.settings import OperatorSettings
from trainingrun.stages.settings import Settings


class Shared(Protocol):
    """What a term has from the operator, which goes on without it."""

    client: Client
    store: Store
    metrics: Metrics
    pulse: Pulse
    settings: Settings
    own: OperatorSettings

    def may_act(self) -> bool:
        """Whether this replica may act at this moment."""


class Term:
    """The queue of runs and all that decides and writes."""

    def __init__(self, shared: Shared) -> None:
        """Start with nothing known but what the watches show."""
        snapshots, problems, deliveries = Snapshots(), Problems(), Deliveries()
        self._store, self._pulse, self._own, self._metrics = shared.store, shared.pulse, shared.own, shared.metrics
        self._observer = Observer(shared.client, shared.store, snapshots, problems, deliveries, shared.own.read_nodes)
        self._events = EventWriter(shared.client, lambda: self._queue.oldest() > 1.0)
        applier = Applier(shared.client, shared.store, self._observer, problems, self._events)
        self._notifier = Notifier(
            shared.own.notify_address_file,
            shared.own.notify_cluster,
            deliveries,
            self.ring,
            shared.may_act,
            shared.metrics.on_notification,
        )
        self._reconciler = Reconciler(
            shared.store, snapshots, problems, self._observer, applier, self._notifier, shared.settings, shared.metrics
        )
        self._queue = KeyQueue(self._reconciler.reconcile, watcher=shared.metrics.on_pass)
        self.reports = Reports(shared.client, shared.store, snapshots, self._queue.add)

    def __len__(self) -> int:
        return len(self._queue)

    async def run(self) -> None:
        """Work until cancelled; every run is looked at first."""
        self.ring_all()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._queue.run(self._own.workers))
            group.create_task(self._events.run())
            group.create_task(self._notifier.run())
            group.create_task(self._periodically())

    async def _periodically(self) -> None:
        """Ring every run now and then: what was lost on the way is found again."""
        while True:
            self._pulse.period_started()
            self.ring_all(spread=self._own.period_seconds / 2)
            await asyncio.sleep(self._own.period_seconds)

    def ring(self, key: Key) -> None:
        """Ask for a pass over a run."""
        self._queue.add(key)

    def ring_all(self, spread: float = 0.0) -> None:
        """Ask for a pass over every run, within some seconds."""
        for key in self._store.runs.keys():
            self._queue.add(key, random.uniform(0.0, spread))

    def forget(self, key: Key, uid: str) -> None:
        """Drop what is remembered of a run that is gone."""
        self._reconciler.forget(key, uid)

    def due(self) -> int:
        """How many runs are due and not yet in work."""
        return self._queue.due()

    def oldest(self) -> float:
        """For how many seconds the run that has waited longest is overdue or in work."""
        return self._queue.oldest()

    def clean(self) -> None:
        """Drop answers that nobody will ask for again."""
        self._observer.clean()
        self.reports.clean()

    def end(self) -> None:
        """Drop the metrics of runs: whoever acts next tells them."""
        for key in self._store.runs.keys():
            self._metrics.forget(key)
