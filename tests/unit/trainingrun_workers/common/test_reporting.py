"""Snapshots, sent to a real HTTP server and to a real folder."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from trainingrun_workers.contract import Answer, ConvertSpec, RunReference, StageInput
from trainingrun_workers.reporting import Reporter, read_answer
from trainingrun_workers.volume import Volume


class Operator(HTTPServer):
    """Keeps what is POSTed, and answers with `status`."""

    def __init__(self) -> None:
        self.received: list[tuple[str | None, dict[str, Any]]] = []
        self.status = 204
        self.answer = b""
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    """Of one request."""

    server: Operator

    def do_POST(self) -> None:  # noqa: N802
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.received.append((self.headers["Authorization"], body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        return


@pytest.fixture
def operator() -> Iterator[Operator]:
    server = Operator()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def stage_input(url: str | None, seconds: float = 0.05) -> StageInput:
    spec = ConvertSpec("pretrain", (300,), "tokenizer", 0.1)
    return StageInput(
        RunReference("ns", "run", "uid"), "convert", "convert", 2, "f", "runs/run", url, seconds, 30.0, spec
    )


def address(server: Operator) -> str:
    return f"http://127.0.0.1:{server.server_port}/report"


def wait_for(seen: Callable[[], object]) -> None:
    deadline = time.monotonic() + 5
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_snapshots_go_to_the_operator_and_the_same_to_the_volume(tmp_path: Path, operator: Operator) -> None:
    token = tmp_path / "token"
    token.write_text("secret\n")
    with Reporter(stage_input(address(operator)), Volume(tmp_path), 3, token) as reporter:
        reporter.update(step=5, total=10, unit="models")
    authorization, last = operator.received[-1]
    assert authorization == "Bearer secret"
    assert (last["run"], last["uid"], last["attempt"], last["index"], last["step"]) == ("run", "uid", 2, 3, 5)
    assert json.loads((tmp_path / "runs/run/snapshots/convert-a2-3.json").read_text()) == last


def test_the_token_is_read_anew_each_time(tmp_path: Path, operator: Operator) -> None:
    token = tmp_path / "token"
    token.write_text("old")
    with Reporter(stage_input(address(operator)), Volume(tmp_path), 0, token):
        wait_for(lambda: operator.received)
        token.write_text("new")
    assert operator.received[-1][0] == "Bearer new"


def test_a_pod_without_token_sends_none(tmp_path: Path, operator: Operator) -> None:
    Reporter(stage_input(address(operator)), Volume(tmp_path), 0, tmp_path / "none").close()
    assert operator.received[-1][0] is None


def test_heartbeats_go_on_while_nothing_changes(tmp_path: Path, operator: Operator) -> None:
    with Reporter(stage_input(address(operator), 0.02), Volume(tmp_path), 0, tmp_path / "none"):
        wait_for(lambda: len(operator.received) >= 3)
    times = [body["time"] for _, body in operator.received]
    assert times == sorted(set(times))


def test_many_updates_are_few_reports(tmp_path: Path, operator: Operator) -> None:
    with Reporter(stage_input(address(operator), 30.0), Volume(tmp_path), 0, tmp_path / "none") as reporter:
        for step in range(10_000):
            reporter.update(step=step)
    assert len(operator.received) <= 2
    assert operator.received[-1][1]["step"] == 9_999


def test_a_deaf_operator_hurts_nothing_and_is_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with Reporter(stage_input("http://127.0.0.1:1/", 0.01), Volume(tmp_path), 0, tmp_path / "none") as reporter:
        reporter.update(step=7)
        time.sleep(0.1)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert json.loads((tmp_path / "runs/run/snapshots/convert-a2-0.json").read_text())["step"] == 7


def test_an_operator_that_refuses_and_then_accepts_is_logged_twice(
    tmp_path: Path, operator: Operator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    operator.status = 401
    with Reporter(stage_input(address(operator), 0.01), Volume(tmp_path), 0, tmp_path / "none"):
        wait_for(lambda: len(operator.received) >= 3)
        operator.status = 204
        wait_for(lambda: len(caplog.records) >= 2)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "401" in caplog.records[0].getMessage()


def test_a_run_without_operator_reports_to_the_volume_alone(tmp_path: Path) -> None:
    Reporter(stage_input(None), Volume(tmp_path), 0, tmp_path / "none").close()
    assert (tmp_path / "runs/run/snapshots/convert-a2-0.json").is_file()


def test_a_folder_that_cannot_be_written_hurts_nothing(tmp_path: Path, operator: Operator) -> None:
    (tmp_path / "runs").write_text("a file where a folder should be")
    Reporter(stage_input(address(operator)), Volume(tmp_path), 0, tmp_path / "none").close()
    assert operator.received


def test_a_misspelt_field_fails_at_once(tmp_path: Path) -> None:
    with (
        Reporter(stage_input(None), Volume(tmp_path), 0, tmp_path / "none") as reporter,
        pytest.raises(TypeError, match="stepp"),
    ):
        reporter.update(stepp=3)


def test_what_the_operator_answers_lies_on_the_volume(tmp_path: Path, operator: Operator) -> None:
    operator.status, file = 200, tmp_path / "runs/run/answers/convert.json"
    assert read_answer(file) is None
    with Reporter(stage_input(address(operator)), Volume(tmp_path), 0, tmp_path / "none"):
        for answer in (Answer(3, 100, (200, 300)), Answer(1)):
            operator.answer = answer.to_json().encode()
            wait_for(lambda answer=answer: read_answer(file) == answer)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"keep_last": "many"}', b"\xff", b"null"])
def test_an_answer_that_is_none_changes_nothing(tmp_path: Path, operator: Operator, body: bytes) -> None:
    operator.status, operator.answer = 200, body
    Reporter(stage_input(address(operator)), Volume(tmp_path), 0, tmp_path / "none").close()

    assert operator.received
    assert not (tmp_path / "runs/run/answers").exists()


def test_another_attempts_snapshot_is_not_written_over(tmp_path: Path) -> None:
    file = tmp_path / "runs/run/snapshots/convert-a3-0.json"
    file.parent.mkdir(parents=True)
    file.write_text("of attempt 3")
    Reporter(stage_input(None), Volume(tmp_path), 0, tmp_path / "none").close()

    assert file.read_text() == "of attempt 3"
    assert json.loads(file.with_name("convert-a2-0.json").read_text())["attempt"] == 2
