"""Reports that reach a replica that does not act: sent on to the one that does, by the address in its Lease."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import aiohttp

from trainingrun.api import names

FORWARDED: Final = "X-Trainingrun-Forwarded"  # a report is sent on once: two replicas may disagree for a moment
TIMEOUT: Final = aiohttp.ClientTimeout(total=4.0, sock_connect=2.0)  # a pod waits no longer for an answer


@dataclass(frozen=True)
class Forwarded:
    """What the other replica answered."""

    status: int
    content_type: str
    body: bytes


class Forwarder:
    """Sends reports on."""

    def __init__(self, address: Callable[[], str]) -> None:
        """`address` tells where the other replica takes reports; empty where none is known to act."""
        self._address = address
        self._session: aiohttp.ClientSession | None = None

    async def forward(self, authorization: str, body: bytes) -> Forwarded:
        """The other replica's answer; a 503 where there is none: the pod reports again in some seconds."""
        address = self._address()
        if not address:
            return _unavailable("No replica acts at the moment.")
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=TIMEOUT, trust_env=False)
        headers = {"Authorization": authorization, FORWARDED: "1", "Content-Type": "application/json"}
        try:
            async with self._session.post(address + names.REPORT_PATH, data=body, headers=headers) as answer:
                return Forwarded(answer.status, answer.content_type, await answer.read())
        except (TimeoutError, aiohttp.ClientError) as error:
            return _unavailable(f"The replica that acts, at {address}, can't be reached: {error!r}.")

    async def close(self) -> None:
        """Let go of connections."""
        if self._session is not None:
            await self._session.close()


def _unavailable(message: str) -> Forwarded:
    return Forwarded(503, "text/plain", message.encode())
