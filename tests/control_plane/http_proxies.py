"""HTTP between an operator and its API server: what is written is noted, answers are held, spoilt or never given."""

import asyncio
import contextlib
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import aiohttp
from aiohttp import web

from control_plane.api import Api
from control_plane.operator_process import free_port
from control_plane.proxies import Background

Seen = Callable[[str, str], bool]  # whether a request is meant, by its method and its path with the query


@dataclass(frozen=True)
class Call:
    """A request that has come by, and what it was answered."""

    method: str
    path: str
    status: int
    at: float  # by the monotonic clock

    @property
    def what(self) -> tuple[str, str]:
        return self.method, self.path.partition("?")[0]


@dataclass
class Fault:
    """An answer of the proxy's own, instead of the API server's."""

    seen: Seen
    status: int = 500  # 0: the connection is closed without an answer
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict)
    body: str = '{"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "Made by the test."}'


def is_write(method: str, path: str) -> bool:
    """Whether a request may move a run; a TokenReview creates nothing."""
    return method != "GET" and "/leases" not in path and not path.partition("?")[0].endswith("/tokenreviews")


class HttpProxy:
    """Forwards everything, and notes it."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.port = free_port()
        self.server = f"http://127.0.0.1:{self.port}"
        self.calls: list[Call] = []
        self.faults: list[Fault] = []
        self._held: Seen = lambda method, path: False
        self.holding, self._released = threading.Event(), asyncio.Event()

    def hold(self, seen: Seen) -> None:
        """Hold the answers to these requests back until `let_go`; `holding` tells when there is one."""
        self.holding.clear()
        self._released.clear()
        self._held = seen

    def let_go(self) -> None:
        """Give the answers that are held, on the proxy's own thread."""
        self._held = lambda method, path: False
        self._loop.call_soon_threadsafe(self._released.set)

    def writes(self, since: float = 0.0) -> list[Call]:
        """The writes that have come by since a time."""
        return [one for one in self.calls if is_write(one.method, one.path) and one.at >= since]

    async def serve(self) -> web.AppRunner:
        """Listen."""
        self._loop = asyncio.get_running_loop()
        context = ssl.create_default_context(cafile=self._api.authority)
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context, limit=0))
        application = web.Application(client_max_size=2**24)
        application.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        return runner

    async def close(self, runner: web.AppRunner) -> None:
        """End."""
        await self._session.close()
        await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        fault = self.fault(request.method, request.path_qs)
        if fault is None:
            return await self._forward(request)
        await request.read()
        self._note(request, fault.status)
        if fault.status == 0:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(
            status=fault.status or 500, headers=fault.headers, text=fault.body, content_type="application/json"
        )

    def fault(self, method: str, path: str) -> Fault | None:
        """How a request is spoilt; None where the API server answers it."""
        found = next((one for one in self.faults if one.times and one.seen(method, path)), None)
        if found is not None:
            found.times -= 1
        return found

    def _note(self, request: web.Request, status: int) -> None:
        self.calls.append(Call(request.method, request.path_qs, status, time.monotonic()))

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        headers = {key: value for key, value in request.headers.items() if key not in ("Host", "Accept-Encoding")}
        body = await request.read() or None
        async with self._session.request(
            request.method, self._api.server + request.path_qs, headers=headers, data=body
        ) as answer:
            self._note(request, answer.status)
            await self._before_answer(request, answer)
            return await self._answer(request, answer)

    async def _before_answer(self, request: web.Request, answer: aiohttp.ClientResponse) -> None:
        if self._held(request.method, request.path_qs):
            await answer.read()
            self.holding.set()
            await self._released.wait()

    async def _answer(self, request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status)
        for name in ("Content-Type", "Retry-After"):
            if name in answer.headers:
                response.headers[name] = answer.headers[name]
        with contextlib.suppress(ConnectionError, aiohttp.ClientError):  # the operator was killed meanwhile
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
        return response


class CrashPoint(HttpProxy):
    """Lets one write through and answers it with silence, until it is armed again.

    A write of the status is silenced whenever it comes, since each moves the run on. Any other, of events and of the
    Lease too, is silenced the first time: what a pass repeats after a crash would else never get further.
    """

    def __init__(self, api: Api) -> None:
        super().__init__(api)
        self.hit = threading.Event()
        self.silenced: list[str] = []
        self._known: set[tuple[str, str]] = set()

    def arm(self) -> None:
        """Fall silent after the next write."""
        self.hit.clear()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if _changes(request) and self.hit.is_set():
            await asyncio.sleep(3600)  # the operator is dead already, it only does not know yet
        return await self._forward(request)

    async def _before_answer(self, request: web.Request, answer: aiohttp.ClientResponse) -> None:
        what = (request.method, request.path)
        if not _changes(request) or (what in self._known and not request.path.endswith("/status")):
            return
        self._known.add(what)
        self.silenced.append(f"{request.method} {request.path} {answer.status}")
        await answer.read()
        self.hit.set()
        await asyncio.sleep(3600)


def _changes(request: web.Request) -> bool:
    return request.method != "GET" and not request.path.endswith("/tokenreviews")


Proxy = TypeVar("Proxy", bound=HttpProxy)


@contextlib.contextmanager
def serving(proxy: Proxy) -> Iterator[Proxy]:
    """A proxy at work."""
    background = Background()
    runner = background.call(proxy.serve())
    try:
        yield proxy
    finally:
        background.call(proxy.close(runner))
        background.close()
