"""Commands that read a run's logs, curves and models, against the demo's finished run: after `make demo`."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from e2e.demo import NAME, NAMESPACE, OUT
from e2e.installation import REPOSITORY, apply, environment, get, kubectl

pytestmark = pytest.mark.demo
TOGETHER = os.pathsep.join(str(REPOSITORY / part) for part in ("operator", "workers"))


def trainingrun(*words: str, code: int = 0) -> str:
    """What the command prints; on standard error where it is to fail."""
    done = subprocess.run(
        [sys.executable, "-m", "trainingrun.cli", *words, "-n", NAMESPACE],
        env=environment() | {"PYTHONPATH": TOGETHER, "COLUMNS": "100"},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


@pytest.fixture(scope="module")
def status() -> dict[str, Any]:
    """The demo's run as the cluster has it."""
    return dict(get("trainingrun", NAME, "-n", NAMESPACE)["status"])


def test_the_logs_of_pods_that_are_gone_come_from_the_volume_in_the_order_of_time(status: dict[str, Any]) -> None:
    lines = [json.loads(line) for line in trainingrun("logs", NAME, "--attempt", "all", "-o", "json").splitlines()]
    assert {one["stage"] for one in lines} == {one["name"] for one in status["stages"] if one.get("attempt")}
    assert [one["time"] for one in lines] == sorted(one["time"] for one in lines)
    assert {one["rank"] for one in lines if one["stage"] == "pretrain"} >= {0, None}
    shown = trainingrun("logs", NAME, "pretrain", "--rank", "0").splitlines()
    assert shown and all(line.startswith("pretrain a1 r0 | ") for line in shown)
    assert any("step 900/900 " in line for line in shown)


def test_the_curves_are_drawn_in_every_form(tmp_path: Path) -> None:
    assert trainingrun("plot", NAME).startswith("loss\n")
    for name, begin in (("curves.html", b"<!doctype html>"), ("curves.png", b"\x89PNG")):
        trainingrun("plot", NAME, "--over", "tokens", "-o", str(tmp_path / name))
        assert (tmp_path / name).read_bytes().startswith(begin)
    variant = trainingrun("plot", NAME, "--stage", "sft-translate", "--only", "loss")
    assert "60 steps" in variant


@pytest.fixture
def twin() -> Iterator[str]:
    """The demo's run once more, held back, with one setting changed."""
    manifest = yaml.safe_load((REPOSITORY / "examples" / "quickstart" / "run.yaml").read_text())
    manifest["metadata"] = {"name": "twin", "namespace": NAMESPACE}
    manifest["spec"]["suspend"] = True
    manifest["spec"]["pretrain"]["config"]["tokens"]["train_steps"] = 901
    apply(manifest)
    yield "twin"
    kubectl("delete", "trainingrun", "twin", "-n", NAMESPACE)


def test_runs_are_compared(twin: str, status: dict[str, Any]) -> None:
    found = json.loads(trainingrun("compare", NAME, twin, "-o", "json"))
    assert found["settings"]["pretrain.config.tokens.train_steps"] == {NAME: 900, twin: 901}
    assert found["settings"]["suspend"][twin] is True
    told = json.loads((OUT / "demo.json").read_text())
    assert found["results"]["pretrain.lastLoss"] == {NAME: told["lastLoss"], twin: None}
    newest = status["checkpoints"][-1]["scores"]
    assert {name: round(row[NAME], 4) for name, row in found["scores"].items() if name in newest} == {
        name: round(value, 4) for name, value in newest.items()
    }
    assert "translate: " in "".join(found["scores"])


def test_a_run_that_is_not_there_is_told_with_the_nearest() -> None:
    said = trainingrun("plot", "quickstar", code=4)
    assert said.startswith(f"There is no run quickstar in namespace {NAMESPACE} of context ")
    assert said.endswith(": did you mean quickstart?\n")


@pytest.mark.parametrize("model", [NAME, "translate"])
def test_a_released_model_arrives_as_it_was_released(model: str, tmp_path: Path, status: dict[str, Any]) -> None:
    report = json.loads(trainingrun("get-model", NAME, model, str(tmp_path / "model"), "-o", "json"))
    stage = next(one for one in status["stages"] if one["name"] == ("release" if model == NAME else f"release-{model}"))
    checksums = (tmp_path / "model" / "checksums.sha256").read_bytes()
    assert hashlib.sha256(checksums).hexdigest() == stage["output"]["sha256"] == report["sha256"]
    collected = OUT / (NAME if model == NAME else f"{NAME}-{model}")
    for file in collected.iterdir():
        assert (tmp_path / "model" / file.name).read_bytes() == file.read_bytes(), file.name


def test_a_copy_that_was_stopped_goes_on(tmp_path: Path) -> None:
    part = tmp_path / "model.part"
    part.mkdir()
    half = (OUT / NAME / "model.safetensors").read_bytes()[:1_000_000]
    (part / "model.safetensors").write_bytes(half)
    (part / "checksums.sha256").write_bytes((OUT / NAME / "checksums.sha256").read_bytes())
    node = (part / "model.safetensors").stat().st_ino
    trainingrun("get-model", NAME, str(tmp_path / "model"))
    whole = tmp_path / "model" / "model.safetensors"
    assert whole.stat().st_ino == node
    assert whole.read_bytes() == (OUT / NAME / "model.safetensors").read_bytes()


def test_no_pod_of_these_commands_is_left() -> None:
    pods = get("pods", "-n", NAMESPACE, "-l", "app.kubernetes.io/name=trainingrun-artifacts")["items"]
    assert all("deletionTimestamp" in one["metadata"] for one in pods)
