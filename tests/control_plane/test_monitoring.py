"""What people who do not look are told: a real Prometheus with the chart's rules, and messages by webhook."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from control_plane.api import Api, Object, until
from control_plane.kubelet import Kubelet
from control_plane.operator_process import Operator, running
from control_plane.prometheus import configuration, scraping
from control_plane.test_reports import TIME, Stage, send
from monitoring import NAMESPACE, queries, rules, write_rules


class People(HTTPServer):
    """A webhook that fails as often as it is told to, and keeps what it has taken."""

    def __init__(self) -> None:
        self.failures, self.tries, self.taken = 0, 0, list[Any]()
        super().__init__(("127.0.0.1", 0), Hook)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/services/very-secret"


class Hook(BaseHTTPRequestHandler):
    server: People

    def do_POST(self) -> None:  # noqa: N802
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.tries += 1
        failed = self.server.tries <= self.server.failures
        if not failed:
            self.server.taken.append(body)
        self.send_response(503 if failed else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        return


@pytest.fixture
def people() -> Iterator[People]:
    server = People()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_prometheus_scrapes_a_run_and_forgets_it(
    api: Api, operator: Operator, namespace: str, kubelet: Kubelet, manifest: Object, tmp_path: Path
) -> None:
    run = api.create(manifest)
    stage = Stage(api, namespace, run, kubelet.start(until(kubelet.work)[0])[0])
    figures = {"volume_free": 40 * 10**9, "volume_size": 10**11, "tokens": 5000, "tokens_per_second": 90.0}
    assert send(operator, stage.report(eta_seconds=600.0, **figures), stage.token()) == 204
    made = configuration(f"127.0.0.1:{operator.port}", NAMESPACE, write_rules(tmp_path, rules()))
    of_run = f'{{namespace="{namespace}",run="tiny"}}'
    with scraping(tmp_path, made) as prometheus:
        until(lambda: prometheus.value(f"trainingrun_stage_step{of_run}") == 3.0)
        assert prometheus.value(f"trainingrun_volume_free_bytes{of_run}") == 40e9
        assert prometheus.value(f"trainingrun_stage_last_progress_timestamp_seconds{of_run}") == TIME
        until(lambda: prometheus.value(f"trainingrun:stage_progress:ratio{of_run}") == 0.25)
        assert prometheus.value(f'trainingrun_leader{{namespace="{NAMESPACE}"}}') == 1.0
        found = [one for group in prometheus.ask("/api/v1/rules")["groups"] for one in group["rules"]]
        until(lambda: all(one["health"] == "ok" for one in _rules(prometheus)))
        assert len(found) == 19
        assert not [one for one in found if one["type"] == "alerting" and _alerts(one, namespace)]
        for query in queries():
            prometheus.query(query)
        assert prometheus.query('trainingrun_api_requests_total{verb="patch",resource="jobs",code="201"}')
        api.delete("TrainingRun", "tiny", namespace)
        until(lambda: not prometheus.query(f'{{namespace="{namespace}",run="tiny",__name__=~"trainingrun_.*"}}'))


def _rules(prometheus: Any) -> list[Any]:
    return [one for group in prometheus.ask("/api/v1/rules")["groups"] for one in group["rules"]]


def _alerts(rule: Any, namespace: str) -> list[Any]:
    """What a rule has to say of the test's own namespace, or of the operator."""
    mine = (namespace, None)
    return [one for one in rule["alerts"] if one["labels"].get("namespace") in mine and one["state"] == "firing"]


def test_a_failed_stage_is_told_of_once_by_an_operator_that_is_killed_and_a_webhook_that_fails_first(
    api: Api, namespace: str, kubelet: Kubelet, manifest: Object, people: People, tmp_path: Path
) -> None:
    address = tmp_path / "address"
    address.write_text(people.address)
    people.failures = 2
    hears = {"notifies": "true", "notify_address_file": str(address), "notify_cluster": "prod"}
    operator = Operator(api, tmp_path, namespaces=namespace, **hears)
    api.create(manifest)
    with running(operator):
        kubelet.fail(until(kubelet.work)[0], exit_code=78)
        until(lambda: people.tries)  # and that one fails
    with running(operator):
        until(lambda: _notified(api, namespace))
        assert len(people.taken) == 1
        text = people.taken[0]["text"]
        assert text.startswith(f"[prod] Run {namespace}/tiny needs a person: stage tokenize has failed (BadConfig).")
    with running(operator):
        until(lambda: operator.metric("trainingrun_passes_total") > 0)
    assert len(people.taken) == 1
    assert "very-secret" not in operator.said()
    assert "very-secret" not in json.dumps(api.get("TrainingRun", "tiny", namespace))


def _notified(api: Api, namespace: str) -> bool:
    sent = api.get("TrainingRun", "tiny", namespace)["status"].get("notifications") or []
    return bool(sent) and all("sentAt" in one and "text" not in one for one in sent)


def test_a_message_that_waits_holds_nothing_up_and_a_refusal_is_an_event(
    api: Api, namespace: str, kubelet: Kubelet, manifest: Object, tmp_path: Path
) -> None:
    address = tmp_path / "address"
    manifest["spec"]["notifications"] = {"events": ["Failed"]}
    with running(
        Operator(api, tmp_path, namespaces=namespace, notifies="true", notify_address_file=str(address))
    ) as one:
        api.create(manifest)
        kubelet.fail(until(kubelet.work)[0], exit_code=78)
        until(lambda: "can't be read" in one.said())  # the Secret is not there
        api.merge("TrainingRun", "tiny", {"spec": {"suspend": True}}, namespace)
        until(lambda: api.get("TrainingRun", "tiny", namespace)["status"]["observedGeneration"] == 2, 10)
        until(lambda: one.metric('trainingrun_notifications_total{outcome="repeated"}') >= 1)
        address.write_text(f"http://127.0.0.1:{one.port}/no-such-path")  # answers 404
        events = until(lambda: [
            event for event in api.list("Event", namespace) if event["reason"] == "NotificationFailed"
        ])  # fmt: skip
    assert [event["message"] for event in events] == [
        "The message that tells of Failed: The server at 127.0.0.1 answered 404."
    ]
