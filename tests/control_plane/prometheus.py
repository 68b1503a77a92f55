"""A real Prometheus that scrapes an operator, with the chart's rules loaded."""

import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from local_cluster.programs import built

from control_plane.api import until
from control_plane.operator_process import free_port

SCRAPE_SECONDS = 1


class Prometheus:
    """A running Prometheus, by its HTTP API."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"

    def ask(self, path: str, **query: str) -> Any:
        """The data of an answer."""
        with urllib.request.urlopen(f"{self.address}{path}?{urllib.parse.urlencode(query)}", timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an instant query: `metric`, the labels, and `value`, a time and a text."""
        return list(self.ask("/api/v1/query", query=expression)["result"])

    def value(self, expression: str) -> float | None:
        """The value of the only series of a query; None where there is none."""
        found = self.query(expression)
        assert len(found) <= 1, found
        return float(found[0]["value"][1]) if found else None

    def is_ready(self) -> bool:
        """Whether it answers."""
        try:
            with urllib.request.urlopen(f"{self.address}/-/ready", timeout=5) as answer:
                return int(answer.status) == 200
        except OSError:
            return False


def configuration(target: str, namespace: str, rules: Path, metrics_path: str = "/metrics") -> dict[str, Any]:
    """Prometheus' configuration for one target, as the chart's ServiceMonitor would have it made."""
    labels = {"namespace": namespace, "pod": "operator-0"}
    job = {
        "job_name": "trainingrun",
        "honor_labels": True,
        "metrics_path": metrics_path,
        "static_configs": [{"targets": [target], "labels": labels}],
    }
    every = f"{SCRAPE_SECONDS}s"
    settings = {"scrape_interval": every, "evaluation_interval": every}
    return {"global": settings, "rule_files": [str(rules)], "scrape_configs": [job]}


@contextmanager
def scraping(folder: Path, made: dict[str, Any]) -> Iterator[Prometheus]:
    """A Prometheus with that configuration, ended in the end."""
    port, file = free_port(), folder / "prometheus.yaml"
    file.write_text(yaml.safe_dump(made))
    command = [
        str(built("prometheus") / "prometheus"), f"--config.file={file}", f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    one = Prometheus(port)
    try:
        until(one.is_ready)
        yield one
    finally:
        process.terminate()
        process.wait(timeout=30)
