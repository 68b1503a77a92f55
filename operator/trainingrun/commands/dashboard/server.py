"""The dashboard's server on 127.0.0.1: reads only, for whoever knows the address that the command printed.

Three things keep others out. The address has a random token, so other users of the machine can't guess it. The Host
header must be this server's own, so that a foreign page whose name is made to point to 127.0.0.1 is refused. And the
Content-Security-Policy lets the page load and ask nothing but this server.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
from collections.abc import Awaitable, Callable
from importlib import resources
from typing import Any, Final

from aiohttp import web

from trainingrun.commands.dashboard.board import Board

ADDRESS: Final = "127.0.0.1"
TOKEN_BYTES: Final = 24
LINES: Final = 400  # of a log
TYPES: Final = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
ASK_AGAIN: Final = "Open the address that `trainingrun dashboard` printed when it started: it has a token in it."

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def new_token() -> str:
    """A token that nobody guesses, made of letters that need no escape in an address."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def application(board: Board, token: str, title: str = "") -> web.Application:
    """The server's application; `title` is what the page says that it shows, for example the context's name."""
    made = web.Application(middlewares=[_guard(token)])
    made.on_response_prepare.append(_secure)
    pages = _Pages(board, title)
    made.router.add_get("/{token}/", pages.index)
    made.router.add_get("/{token}/static/{name}", pages.static)
    made.router.add_get("/{token}/api/runs", pages.overview)
    made.router.add_get("/{token}/api/runs/{namespace}/{run}", pages.run)
    made.router.add_get("/{token}/api/runs/{namespace}/{run}/pods/{pod}/log", pages.log)
    return made


class _Pages:
    """What is answered."""

    def __init__(self, board: Board, title: str) -> None:
        self._board, self._title = board, title
        self._files = {
            one.name: one.read_bytes() for one in resources.files(__package__).joinpath("static").iterdir()
        }  # fmt: skip

    async def index(self, _: web.Request) -> web.Response:
        return self._file("index.html")

    async def static(self, request: web.Request) -> web.Response:
        return self._file(request.match_info["name"])

    async def overview(self, _: web.Request) -> web.Response:
        return self._json(await self._board.overview())

    async def run(self, request: web.Request) -> web.Response:
        return self._json(await self._board.run(request.match_info["namespace"], request.match_info["run"]))

    async def log(self, request: web.Request) -> web.Response:
        one = request.match_info
        return self._json(await self._board.log(one["namespace"], one["run"], one["pod"], LINES))

    def _file(self, name: str) -> web.Response:
        """One of the package's own files, by its whole name: no path is ever made of what was asked for."""
        kind = next((kind for ending, kind in TYPES.items() if name.endswith(ending)), None)
        if kind is None or name not in self._files:
            raise web.HTTPNotFound(text="There is no such file.")
        return web.Response(body=self._files[name], content_type=kind, charset="utf-8")

    def _json(self, document: dict[str, Any]) -> web.Response:
        text = json.dumps({**document, "title": self._title}, allow_nan=False, separators=(",", ":"))
        return web.Response(text=text, content_type="application/json")


def _guard(token: str) -> Any:
    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not _is_own(request):
            raise web.HTTPMisdirectedRequest(text=f"This server answers to {ADDRESS} and localhost alone. {ASK_AGAIN}")
        given = request.path.split("/")[1]
        if not hmac.compare_digest(given.encode(), token.encode()):
            raise web.HTTPForbidden(text=ASK_AGAIN)
        if request.method not in ("GET", "HEAD"):
            raise web.HTTPMethodNotAllowed(request.method, ("GET", "HEAD"), text="The dashboard changes nothing.")
        return await handler(request)

    return guard


def _is_own(request: web.Request) -> bool:
    """Whether the Host header is this server's, and the page that asks, where a browser tells, one of its own."""
    transport = request.transport
    port = transport.get_extra_info("sockname")[1] if transport is not None else None
    own = {f"{name}:{port}" for name in (ADDRESS, "localhost")}
    origin = request.headers.get("Origin")
    return request.headers.get("Host") in own and (origin is None or origin.removeprefix("http://") in own)


async def _secure(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


async def serve(made: web.Application, port: int, told: Callable[[int], None]) -> None:
    """Serve on 127.0.0.1 until cancelled; `told` gets the port once it answers. OSError where the port is taken."""
    runner = web.AppRunner(made, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, ADDRESS, port)
        await site.start()
        told(runner.addresses[0][1])
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
