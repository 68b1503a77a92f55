"""The chart's alert rules and dashboard, and Prometheus' own programs: for the tests that need them."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import yaml
from local_cluster.programs import built

from control_plane.operator_process import render_chart
from trainingrun.controller.metrics import Metrics

NAMESPACE = "system"  # that the chart is rendered for
# What the operator's process declares, whose values are read at the scrape.
FOLLOWED = ("queue_length", "queue_due", "queue_oldest_seconds", "loop_lag_seconds", "leader", "watch_age_seconds")
METRIC = re.compile(r"\btrainingrun(?:_|:)[a-z0-9_:]+")


def rendered(*arguments: str) -> list[dict[str, Any]]:
    """The chart's objects with rules and dashboard."""
    return render_chart(
        "--namespace", NAMESPACE, "--set", "metrics.rules.enabled=true,metrics.dashboard.enabled=true", *arguments
    )


def rules(*arguments: str) -> dict[str, Any]:
    """The groups of rules, as Prometheus takes them in a file."""
    (found,) = [one for one in rendered(*arguments) if one["kind"] == "PrometheusRule"]
    return dict(found["spec"])


def dashboard() -> dict[str, Any]:
    """The dashboard, as Grafana takes it."""
    (found,) = [one for one in rendered() if one["kind"] == "ConfigMap"]
    return dict(json.loads(found["data"]["trainingrun.json"]))


def queries() -> list[str]:
    """Every query of the dashboard, its variables as Grafana fills them in where all runs are chosen."""
    found = [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", ())]
    return [one.replace("$__rate_interval", "1m").replace("$namespace", ".*").replace("$run", ".*") for one in found]


def families() -> dict[str, str]:
    """The type of every metric of the operator, by its name as Prometheus has it: a counter's with its _total."""
    metrics = Metrics()
    for name in FOLLOWED:
        metrics.follow(name, "", lambda: 0.0)
    found = {one.name: one.type for one in metrics.registry.collect() if one.name.startswith("trainingrun_")}
    return {f"{name}_total" if kind == "counter" else name: kind for name, kind in found.items()}


def series() -> set[str]:
    """Every name that a series of the operator may have."""
    parts = {"histogram": ("_bucket", "_sum", "_count")}
    return {f"{name}{part}" for name, kind in families().items() for part in parts.get(kind, ("",))}


def write_rules(folder: Path, content: dict[str, Any]) -> Path:
    """A file of rules."""
    path = folder / "rules.yaml"
    path.write_text(yaml.safe_dump(content, width=1000))
    return path


def promtool(*arguments: str | Path, stdin: str = "") -> str:
    """What promtool says; AssertionError where it finds fault."""
    command = [built("prometheus") / "promtool", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr
