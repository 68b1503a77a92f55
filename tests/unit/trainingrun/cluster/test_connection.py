import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import yaml
from aiohttp import web
from kubernetes.aio import client

from trainingrun.cluster.client import Client
from trainingrun.cluster.connection import TOKEN_SECONDS, TokenFile, bearer_token, configuration
from trainingrun.cluster.errors import NotActingError
from trainingrun.cluster.kinds import JOB, LEASE


class Server:
    """Answers everything, and remembers what has reached it."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.seen.append(request.method)
        return web.Response(text=json.dumps({"metadata": {"resourceVersion": "1"}}), content_type="application/json")


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    server, application = Server(), web.Application()
    application.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()


async def test_while_a_replica_may_not_act_none_of_its_writes_leaves_the_process() -> None:
    may_act = True
    async with serving() as server:
        one = Client(client.Configuration(host=server.url), may_act=lambda: may_act)
        job = {"kind": "Job", "metadata": {"namespace": "default", "name": "j"}}
        await one.apply(job)
        may_act = False
        for write in (
            lambda: one.apply(job),
            lambda: one.delete(JOB, "default", "j", None, force=False),
            lambda: one.write_status("default", "tiny", "1", {}),
            lambda: one.create_event("default", {}),
            lambda: one.repeat_event("default", "e", 2, "now"),
        ):
            with pytest.raises(NotActingError, match="was not sent"):
                await write()
        assert server.seen == ["PATCH"]
        # It still sees, asks whose a token is, and competes for the Lease.
        await one.get(JOB, "default", "j")
        await one.review_token("token")
        await one.replace(LEASE, {"metadata": {"namespace": "default", "name": "l"}})
        assert server.seen == ["PATCH", "GET", "POST", "PUT"]
        await one.close()


async def test_a_token_that_lies_in_a_file_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("first\n")
    document = {
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:6443"}}],
        "users": [{"name": "u", "user": {"tokenFile": "token"}}],
        "contexts": [{"name": "it", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "it",
    }
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(document))
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    made = await configuration()
    assert await bearer_token(made) == "first"

    now = 100.0
    made.refresh_api_key_hook = TokenFile(tmp_path / "token", lambda: now).refresh
    assert await bearer_token(made) == "first"
    (tmp_path / "token").write_text("second")
    assert await bearer_token(made) == "first"
    now += TOKEN_SECONDS
    assert await bearer_token(made) == "second"
    now += TOKEN_SECONDS
    (tmp_path / "token").unlink()  # the kubelet is just replacing it
    assert await bearer_token(made) == "second"
