"""The run's log book: events that `kubectl describe` shows, one object for each thing that is said."""

import datetime
import hashlib
from typing import Any, Final

from trainingrun.api import names
from trainingrun.api.training_run import Metadata
from trainingrun.cluster.client import Client
from trainingrun.cluster.kinds import EVENT
from trainingrun.plan.actions import Event

MAX_MESSAGE: Final = 1024  # the API server refuses longer ones
REMEMBERED: Final = 5000  # events whose count is known without asking


class EventWriter:
    """Writes events; what was said before is counted, not said anew."""

    def __init__(self, client: Client) -> None:
        """Start with nothing said."""
        self._client = client
        self._counts: dict[tuple[str, str], int] = {}

    async def write(self, run: Metadata, event: Event, now: float) -> None:
        """Record one event about a run."""
        body = event_object(run, event, now)
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
