"""The run's log book: events that `kubectl describe` shows, one object for each thing that is said."""

import asyncio
import datetime
import hashlib
import logging
from collections.abc import Callable
from typing import Any, Final

from trainingrun.api import names
from trainingrun.api.training_run import Metadata
from trainingrun.cluster.client import Client
from trainingrun.cluster.errors import RefusedError, TemporaryError
from trainingrun.cluster.kinds import EVENT
from trainingrun.plan.actions import Event

logger = logging.getLogger(__name__)

MAX_MESSAGE: Final = 1024  # the API server refuses longer ones
LONGEST_WAIT: Final = 60  # seconds that an event waits for passes at most
REMEMBERED: Final = 5000  # events whose count is known without asking


class EventWriter:
    """Writes events one after the other, beside the passes: they must not keep a run's first pod waiting.

    What was said before is counted, not said anew. An event that can't be written is lost: the status says the same.
    """

    def __init__(self, client: Client, is_busy: Callable[[], bool] = lambda: False) -> None:
        """Start with nothing said; while `is_busy`, events wait for what matters more."""
        self._client, self._is_busy = client, is_busy
        self._counts: dict[tuple[str, str], int] = {}
        self._calm_until = 0.0
        self._waiting: asyncio.Queue[tuple[Metadata, dict[str, Any]]] = asyncio.Queue(REMEMBERED)

    def add(self, run: Metadata, event: Event, now: float) -> None:
        """Have one event about a run recorded."""
        try:
            self._waiting.put_nowait((run, event_object(run, event, now)))
        except asyncio.QueueFull:
            logger.warning("Too many events wait: %s of %s/%s is lost.", event.reason, run.namespace, run.name)

    async def run(self) -> None:
        """Write events until cancelled."""
        while True:
            run, body = await self._waiting.get()
            await self._wait_for_calm()
            try:
                await self._write(run, body)
            except (TemporaryError, RefusedError) as error:
                logger.warning("An event of %s/%s is lost: %s", run.namespace, run.name, error.message)

    async def _wait_for_calm(self) -> None:
        """Let passes go first, but not for ever; asked once a second, since the answer takes time."""
        now = asyncio.get_running_loop().time()
        if now < self._calm_until:
            return
        for _ in range(LONGEST_WAIT):
            if not self._is_busy():
                break
            await asyncio.sleep(1.0)
        self._calm_until = asyncio.get_running_loop().time() + 1.0

    async def _write(self, run: Metadata, body: dict[str, Any]) -> None:
        name, at = body["metadata"]["name"], body["lastTimestamp"]
        place = (run.namespace, name)
        count = self._counts.get(place, 0)
        if count == 0 and await self._client.create_event(run.namespace, body):
            count = 1
        else:
            count = (count or await self._count(*place)) + 1
            await self._client.repeat_event(run.namespace, name, count, at)
        self._counts[place] = count
        while len(self._counts) > REMEMBERED:
            del self._counts[next(iter(self._counts))]

    async def _count(self, namespace: str, name: str) -> int:
        raw = await self._client.get(EVENT, namespace, name)
        return int((raw or {}).get("count") or 1)


def event_object(run: Metadata, event: Event, now: float) -> dict[str, Any]:
    """The core/v1 Event; its name follows from run, reason and message, so that the same is never said twice."""
    said = f"{run.uid}/{event.type}/{event.reason}/{event.message}"
    at = datetime.datetime.fromtimestamp(now, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    message = event.message if len(event.message) <= MAX_MESSAGE else event.message[: MAX_MESSAGE - 1] + "…"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{run.name}.{hashlib.sha256(said.encode()).hexdigest()[:16]}",
            "namespace": run.namespace,
        },
        "type": event.type,
        "reason": event.reason,
        "message": message,
        "count": 1,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "source": {"component": names.FIELD_MANAGER},
        "involvedObject": {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "name": run.name,
            "namespace": run.namespace,
            "uid": run.uid,
        },
    }
