"""Messages to people: Slack's JSON to one address, tried again until it is taken, beside the passes.

The address is a secret: it lies in a file that the kubelet mounts, is read before each try, and no more of it than its
host is ever told.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from trainingrun.api.status import Notification
from trainingrun.api.training_run import Metadata
from trainingrun.cluster.deliveries import Deliveries
from trainingrun.cluster.shelf import Key
from trainingrun.plan.draft import epoch
from trainingrun.plan.observed import Delivery

logger = logging.getLogger(__name__)

FIRST_WAIT: Final = 2.0  # seconds; doubled with each failure
LONGEST_WAIT: Final = 300.0
GIVE_UP_SECONDS: Final = 6 * 3600.0  # after the message was decided on
AT_ONCE: Final = 4  # messages on the wire
TIMEOUT: Final = aiohttp.ClientTimeout(total=10.0, sock_connect=5.0)
AGAIN: Final = frozenset({408, 425, 429})  # besides 5xx; any other answer that is not 2xx is a refusal

Place = tuple[str, str, str | None, str]  # the run's uid, event, stage and time: what tells messages apart


@dataclass(frozen=True)
class Problem:
    """Why a message was not taken."""

    sentence: str
    final: bool = False
    retry_after: float = 0.0


class Notifier:
    """Sends messages; what has become of each is kept in `deliveries`, and its run rung."""

    def __init__(
        self,
        address_file: str,
        cluster: str,
        deliveries: Deliveries,
        ring: Callable[[Key], None],
        may_act: Callable[[], bool],
        watcher: Callable[[str], None],
        clock: Callable[[], float] = time.time,
        first_wait: float = FIRST_WAIT,
    ) -> None:
        """`cluster` stands before each message; `watcher` is told what became of each try."""
        self._address_file, self._cluster, self._deliveries = Path(address_file), cluster, deliveries
        self._ring, self._may_act, self._watcher = ring, may_act, watcher
        self._clock, self._first_wait = clock, first_wait
        self._tasks: dict[Place, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._session: aiohttp.ClientSession | None = None

    def add(self, run: Metadata, message: Notification) -> None:
        """Have a message sent, unless it is on its way or settled."""
        place: Place = (run.uid, message.event, message.stage, message.at)
        settled = {(one.event, one.stage, one.at) for one in self._deliveries.of(run.uid)}
        if place not in self._tasks and place[1:] not in settled:
            task = asyncio.create_task(self._deliver(run, message), name=f"message of {run.namespace}/{run.name}")
            self._tasks[place] = task
            task.add_done_callback(lambda _: self._tasks.pop(place, None))

    def forget(self, uid: str) -> None:
        """Send nothing more about a run that is gone."""
        for place, task in list(self._tasks.items()):
            if place[0] == uid:
                task.cancel()
        self._deliveries.forget(uid)

    async def run(self) -> None:
        """Until cancelled; messages that are on their way then are sent by whoever acts next."""
        try:
            await asyncio.Event().wait()
        finally:
            tasks = list(self._tasks.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._session is not None:
                await self._session.close()

    async def _deliver(self, run: Metadata, message: Notification) -> None:
        """Try until the message is taken, refused, or too old."""
        wait, told = self._first_wait, False
        while (problem := await self._attempt(message.text or "")) is not None:
            pause = min(max(wait, problem.retry_after), LONGEST_WAIT)
            if problem.final or self._clock() + pause > epoch(message.at) + GIVE_UP_SECONDS:
                break
            if not told:
                logger.warning("A message of %s/%s is tried again: %s", run.namespace, run.name, problem.sentence)
            told, wait = True, wait * 2
            self._watcher("repeated")
            await asyncio.sleep(pause)
        self._watcher("sent" if problem is None else "given up")
        if problem is not None:
            logger.error("A message of %s/%s is given up: %s", run.namespace, run.name, problem.sentence)
        error = problem.sentence if problem is not None else None
        self._deliveries.put(run.uid, Delivery(message.event, message.stage, message.at, self._clock(), error))
        self._ring((run.namespace, run.name))

    async def _attempt(self, text: str) -> Problem | None:
        """One try; None where the message was taken."""
        try:
            address = self._address_file.read_text().strip()
            host = urlsplit(address).hostname
        except (OSError, ValueError) as error:
            return Problem(f"The address can't be read ({type(error).__name__}): look at notifications.secretName.")
        if not address.startswith(("http://", "https://")) or not host:
            return Problem("The address in the Secret is no http:// or https:// URL: look at notifications.secretName.")
        async with self._slots:
            if not self._may_act():
                return Problem("Another replica acts.")
            return await self._post(address, host, text)

    async def _post(self, address: str, host: str, text: str) -> Problem | None:
        if self._session is None:
            # By the environment's proxy where one is set: the address is outside of the cluster as a rule.
            self._session = aiohttp.ClientSession(timeout=TIMEOUT, trust_env=True)
        try:
            async with self._session.post(address, json=self._body(text), allow_redirects=False) as answer:
                return _problem(host, answer.status, answer.headers.get("Retry-After", ""))
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            # Never the error's own words, which may hold the address.
            return Problem(f"The server at {host} can't be reached ({type(error).__name__}).")

    def _body(self, text: str) -> dict[str, str]:
        """As Slack and those that imitate it take it, with the three characters escaped that mean something there."""
        said = f"[{self._cluster}] {text}" if self._cluster else text
        return {"text": said.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")}


def _problem(host: str, status: int, retry_after: str) -> Problem | None:
    """What an answer means."""
    if 200 <= status < 300:
        return None
    wait = float(retry_after) if retry_after.isdigit() else 0.0
    final = status < 500 and status not in AGAIN
    return Problem(f"The server at {host} answered {status}.", final, wait)
