"""The operator's HTTP server: reports of pods, metrics, probes."""

from collections.abc import Callable
from typing import Final

from aiohttp import web

from trainingrun.api import names
from trainingrun.controller.forwarding import FORWARDED, Forwarder
from trainingrun.controller.health import Health
from trainingrun.controller.metrics import Metrics
from trainingrun.controller.reports import MAX_BODY, ReportError, Reports

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


class Server:
    """What the operator answers; plain HTTP, since all it takes is a token of no use anywhere else."""

    def __init__(
        self,
        reports: Callable[[], Reports | None],
        forwarder: Forwarder,
        metrics: Metrics,
        health: Health,
        ready: Callable[[], bool],
    ) -> None:
        """`reports` yields None while another replica acts; `ready` says whether the watches are in step."""
        self._reports, self._forwarder = reports, forwarder
        self._metrics, self._health, self._ready = metrics, health, ready

    def application(self) -> web.Application:
        """The application with its four paths."""
        application = web.Application(client_max_size=MAX_BODY)
        application.add_routes(
            [
                web.post(names.REPORT_PATH, self._take_report),
                web.get("/metrics", self._show_metrics),
                web.get("/healthz", self._show_health),
                web.get("/readyz", self._show_readiness),
            ]
        )
        return application

    async def start(self, listen: str, port: int) -> web.AppRunner:
        """Listen; OSError where the port is taken. The runner's `cleanup` ends it."""
        runner = web.AppRunner(self.application(), access_log=None, handle_signals=False, shutdown_timeout=0.5)
        await runner.setup()
        await web.TCPSite(runner, listen or None, port).start()
        return runner

    async def _take_report(self, request: web.Request) -> web.Response:
        authorization = request.headers.get("Authorization", "")
        body = await request.read()  # above the limit this is a 413 by itself
        reports = self._reports()
        if reports is None:
            return await self._send_on(request, authorization, body)
        try:
            answer = await reports.take(authorization, body)
        except ReportError as error:
            self._metrics.on_report(str(error.status))
            return web.Response(status=error.status, text=str(error))
        self._metrics.on_report("taken")
        if answer is None:
            return web.Response(status=204)
        return web.Response(text=answer.to_json(), content_type="application/json")

    async def _send_on(self, request: web.Request, authorization: str, body: bytes) -> web.Response:
        if FORWARDED in request.headers:
            return web.Response(status=503, text="This replica does not act yet, or any more.")
        self._metrics.on_report("forwarded")
        answer = await self._forwarder.forward(authorization, body)
        return web.Response(status=answer.status, body=answer.body, content_type=answer.content_type)

    async def _show_metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=await self._metrics.page_beside(), headers={"Content-Type": TEXT})

    async def _show_health(self, _: web.Request) -> web.Response:
        failures = self._health.failures()
        return web.Response(status=503 if failures else 200, text=" ".join(failures) or "ok")

    async def _show_readiness(self, _: web.Request) -> web.Response:
        ready = self._ready()
        return web.Response(status=200 if ready else 503, text="ok" if ready else "The watches are not in step yet.")
