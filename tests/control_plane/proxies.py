"""A wire between an operator and its API server that can go dead without a word."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator
from typing import Any
from urllib.parse import urlsplit

from control_plane.api import Api
from control_plane.operator_process import free_port


class Background:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def call(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """The result of a coroutine that runs there."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout=30)

    def close(self) -> None:
        """Cancel what runs there and end."""

        async def cancel_all() -> None:
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        self.call(cancel_all())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


class Wire:
    """A TCP connection's middle: forwards bytes, and can go dead without closing anything."""

    def __init__(self, server: str) -> None:
        parts = urlsplit(server)
        self._target = (parts.hostname or "", parts.port or 443)
        self.port = free_port()
        self.server = f"https://127.0.0.1:{self.port}"
        self._alive = threading.Event()
        self._alive.set()
        self._open: list[asyncio.StreamWriter] = []
        self._generation = 0  # connections of an earlier one are dead for good

    async def serve(self) -> asyncio.Server:
        """Listen."""
        return await asyncio.start_server(self._connect, "127.0.0.1", self.port)

    def go_dead(self, *, new_connections_too: bool) -> None:
        """No byte passes any more on what is open, and, if so asked, on what is opened from now on."""
        self._generation += 1
        if new_connections_too:
            self._alive.clear()

    async def close(self, server: asyncio.Server) -> None:
        """Let go of everything."""
        server.close()
        for writer in self._open:
            writer.transport.abort()
        await asyncio.sleep(0.05)

    def revive(self) -> None:
        """New connections work again."""
        self._alive.set()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.CancelledError):  # the end of the test
            await self._forward(reader, writer)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        generation = self._generation
        if not self._alive.is_set():
            self._open.append(writer)
            await asyncio.sleep(3600)
        upstream = await asyncio.open_connection(*self._target)
        self._open += [writer, upstream[1]]
        await asyncio.gather(self._pump(generation, reader, upstream[1]), self._pump(generation, upstream[0], writer))

    async def _pump(self, generation: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                if generation != self._generation:
                    await asyncio.sleep(3600)
                writer.write(data)
                await writer.drain()
            writer.close()


@contextlib.contextmanager
def wire(api: Api) -> Iterator[Wire]:
    """A wire to an API server."""
    background, one = Background(), Wire(api.server)
    server = background.call(one.serve())
    try:
        yield one
    finally:
        background.call(one.close(server))
        background.close()
