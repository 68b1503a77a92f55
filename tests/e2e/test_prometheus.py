"""A real Prometheus scrapes the operator that has just trained the demo's models: run by `make demo-assert`."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from control_plane.api import until
from control_plane.operator_process import free_port
from control_plane.prometheus import Prometheus, configuration, scraping
from e2e.demo import NAME, NAMESPACE
from e2e.installation import RELEASE, SYSTEM_NAMESPACE, environment, get, run
from monitoring import promtool, queries, rules, write_rules

pytestmark = pytest.mark.demo

PATH = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/services/{RELEASE}:http/proxy/metrics"
OF_RUN = f'{{namespace="{NAMESPACE}",run="{NAME}"}}'
PRETRAIN = f'{{namespace="{NAMESPACE}",run="{NAME}",stage="pretrain"}}'


@pytest.fixture(scope="module")
def status() -> dict[str, Any]:
    """The status of the demo's finished run."""
    return dict(get("trainingrun", NAME, "-n", NAMESPACE)["status"])


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that reaches the operator's Service through the API server, as nothing in the cluster is exposed."""
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    proxy = subprocess.Popen(
        ["kubectl", "proxy", f"--port={port}"],
        env={**os.environ, **environment()},
        stdout=subprocess.DEVNULL,
    )
    try:
        made = configuration(f"127.0.0.1:{port}", SYSTEM_NAMESPACE, _rules(folder), PATH)
        with scraping(folder, made) as one:
            until(lambda: one.value('up{job="trainingrun"}') == 1.0)
            yield one
    finally:
        proxy.terminate()
        proxy.wait(timeout=10)


def _rules(folder: Path) -> Path:
    return write_rules(folder, rules("--namespace", SYSTEM_NAMESPACE))


def test_prometheus_shows_of_the_run_what_its_status_says(prometheus: Prometheus, status: dict[str, Any]) -> None:
    stages = {stage["name"]: stage for stage in status["stages"]}
    progress = stages["pretrain"]["progress"]
    until(lambda: prometheus.value(f"trainingrun_stage_step{PRETRAIN}") == progress["step"])
    assert prometheus.value(f"trainingrun_stage_loss{PRETRAIN}") == pytest.approx(progress["loss"])
    assert prometheus.value(f"trainingrun_stage_checkpoint_step{PRETRAIN}") == progress["checkpoint"]
    assert prometheus.value(f"count(trainingrun_stage_phase{OF_RUN} == 1)") == len(stages)
    phase = prometheus.query(f"trainingrun_run_phase{OF_RUN}")
    assert [one["metric"]["phase"] for one in phase] == ["Succeeded"]
    newest = max((one for one in status["checkpoints"] if one.get("scores")), key=lambda one: one["step"])
    scores = {
        one["metric"]["task"]: float(one["value"][1])
        for one in prometheus.query(f"trainingrun_checkpoint_score{OF_RUN}")
    }
    assert scores == pytest.approx(newest["scores"])


def test_no_alert_fires_of_a_finished_run_and_every_rule_is_healthy(prometheus: Prometheus) -> None:
    def found() -> list[Any]:
        return [one for group in prometheus.ask("/api/v1/rules")["groups"] for one in group["rules"]]

    until(lambda: all(one["health"] == "ok" for one in found()))
    firing = [alert for one in found() if one["type"] == "alerting" for alert in one["alerts"]]
    mine = [one for one in firing if one["state"] == "firing" and one["labels"].get("run") in (None, NAME)]
    assert mine == []


def test_the_dashboard_has_something_to_show(prometheus: Prometheus) -> None:
    empty = [one for one in queries() if not prometheus.query(one)]
    # Of a finished run nothing runs any more, nothing waits, and this one trained without GPUs.
    for one in empty:
        gone = ("stalled", "last_progress", "eta", "per_second", "learning", "gradient", "volume", "gpu", "timestamp")
        measured = ("mfu_ratio", "peak_memory", "wait_ratio", "step_spread")
        assert any(word in one for word in (*gone, *measured, "rate(", "increase(")), one


def test_the_operators_page_keeps_to_prometheus_conventions() -> None:
    assert promtool("check", "metrics", stdin=run(["kubectl", "get", "--raw", PATH])).strip() == ""
