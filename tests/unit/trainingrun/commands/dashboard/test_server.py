"""The dashboard's server: for whoever has the address, from this machine's own browser, and for nobody else."""

import asyncio
import re
import signal
import socket
import subprocess
import sys
import urllib.parse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib import resources
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from trainingrun.cli import main
from trainingrun.commands.dashboard.board import Board
from trainingrun.commands.dashboard.reader import Reader
from trainingrun.commands.dashboard.server import application, new_token, serve
from trainingrun.commands.kubeconfig import place

STATIC = resources.files("trainingrun.commands.dashboard").joinpath("static")


def kubeconfig(folder: Path, server: str = "http://127.0.0.1:1") -> str:
    """One for a cluster that does not answer."""
    config = {
        "current-context": "lost", "contexts": [{"name": "lost", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server}}], "users": [{"name": "u", "user": {}}],
    }  # fmt: skip
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return str(file)


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[tuple[str, str]]:
    """A dashboard of a cluster that does not answer: its origin and its token."""
    token, port = new_token(), asyncio.get_running_loop().create_future()
    made = application(Board(Reader(place(kubeconfig(folder))), "default"), token, "context lost")
    server = asyncio.create_task(serve(made, 0, port.set_result))
    try:
        yield f"http://127.0.0.1:{await port}", token
    finally:
        server.cancel()
        with suppress(asyncio.CancelledError):
            await server


async def answer(address: str, method: str = "GET", **headers: str) -> tuple[int, str, Any]:
    async with aiohttp.ClientSession() as session, session.request(method, address, headers=headers) as found:
        return found.status, await found.text(), found.headers


async def test_the_page_and_all_that_it_names_are_served(tmp_path: Path) -> None:
    async with served(tmp_path) as (origin, token):
        status, page, _ = await answer(f"{origin}/{token}/")
        assert status == 200
        named = set(re.findall(r'(?:src|href)="(static/[^"]+)"', page))
        for script in (one.read_text() for one in STATIC.iterdir() if one.name.endswith(".js")):
            named |= {f"static/{one}" for one in re.findall(r'from "\./([^"]+)"', script)}
        assert named == {f"static/{one.name}" for one in STATIC.iterdir() if one.name != "index.html"}
        for one in named:
            assert (await answer(f"{origin}/{token}/{one}"))[0] == 200, one


async def test_every_answer_keeps_the_page_to_itself(tmp_path: Path) -> None:
    async with served(tmp_path) as (origin, token):
        for path in (f"/{token}/", f"/{token}/api/runs", "/", f"/{token}/nothing", f"/{token}/static/none.js"):
            headers = (await answer(origin + path))[2]
            policy = headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy and "script-src 'self';" in policy and "unsafe" not in policy, path
            assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "no-referrer")
            assert (headers["X-Frame-Options"], headers["X-Content-Type-Options"]) == ("DENY", "nosniff")


@pytest.mark.parametrize("path", ["/", "/wrong/", "/api/runs", "/%s0/", "/static/main.js", "//%s/"])
async def test_without_the_token_nothing_is_told(path: str, tmp_path: Path) -> None:
    async with served(tmp_path) as (origin, token):
        status, text, _ = await answer(origin + path.replace("%s", token))
        assert status == 403
        assert text == "Open the address that `trainingrun dashboard` printed when it started: it has a token in it."


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"Host": "127.0.0.1"}, {"Host": "127.0.0.1:1"}, {"Origin": "http://evil.example"}],
)
async def test_a_foreign_name_for_this_machine_is_refused(headers: dict[str, str], tmp_path: Path) -> None:
    async with served(tmp_path) as (origin, token):
        status, text, _ = await answer(f"{origin}/{token}/api/runs", **headers)
        assert status == 421
        assert "answers to 127.0.0.1 and localhost alone" in text


async def test_localhost_is_this_machine_too(tmp_path: Path) -> None:
    async with served(tmp_path) as (origin, token):
        host = origin.removeprefix("http://").replace("127.0.0.1", "localhost")
        assert (await answer(f"{origin}/{token}/", Host=host))[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_nothing_can_be_changed(method: str, tmp_path: Path) -> None:
    async with served(tmp_path) as (origin, token):
        assert (await answer(f"{origin}/{token}/api/runs", method))[0] == 405


@pytest.mark.parametrize("name", ["../board.py", "..%2Fboard.py", "%2e%2e%2fboard.py", "board.py", "", "main.js%00"])
async def test_only_the_pages_own_files_are_served(name: str, tmp_path: Path) -> None:
    async with served(tmp_path) as (origin, token):
        status, text, _ = await answer(f"{origin}/{token}/static/{name}")
        assert status in (403, 404)
        assert "import" not in text


async def test_a_cluster_that_does_not_answer_is_a_sentence_with_the_time_since_when(tmp_path: Path) -> None:
    async with served(tmp_path) as (origin, token), aiohttp.ClientSession() as session:
        for path in ("runs", "runs/default/tiny"):
            async with session.get(f"{origin}/{token}/api/{path}") as found:
                document = await found.json()
            assert document["model"] is None
            assert (
                "The API server http://127.0.0.1:1 of context lost can't be reached" in document["trouble"]["message"]
            )
            assert document["trouble"]["since"] > 0
            assert document["title"] == "context lost"


def test_the_page_has_no_markup_made_of_text_and_asks_nobody_else() -> None:
    for file in STATIC.iterdir():
        text = file.read_text()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", text), file
        foreign = set(re.findall(r"https?://[^\s\"')]+", text)) - {"http://www.w3.org/2000/svg"}
        assert not foreign, (file.name, foreign)
        assert " style=" not in text and "<style" not in text and "onclick=" not in text, file.name


def test_a_taken_port_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert main(["dashboard", "--kubeconfig", kubeconfig(tmp_path), "--port", port]) == 2
    assert capsys.readouterr().err.startswith(f"Port {port} of 127.0.0.1 can't be used: ")


def test_ctrl_c_ends_it_at_once_although_a_cluster_keeps_it_waiting(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()  # connections stand, and nobody answers
        file = kubeconfig(tmp_path, f"http://127.0.0.1:{silent.getsockname()[1]}")
        command = [sys.executable, "-m", "trainingrun.cli", "dashboard", "--kubeconfig", file]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            address = urllib.parse.urlsplit(process.stdout.readline().strip())
            with socket.create_connection((address.hostname or "", address.port or 0)) as asking:
                asking.sendall(f"GET {address.path}api/runs HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode())
                waiting, _ = silent.accept()  # the question has arrived at the cluster
                with waiting:
                    process.send_signal(signal.SIGINT)
                    assert process.wait(timeout=10) == 0
