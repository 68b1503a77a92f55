"""The user's path to a working operator: cluster, images, chart. Each step is quick where it is already done."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
CLUSTER = [os.environ.get("PYTHON", "python3.11"), str(REPOSITORY / "tests" / "cluster" / "cluster.py")]
SYSTEM_NAMESPACE = "trainingrun-system"
RELEASE = "trainingrun"
CACHE = Path(os.environ.get("TRAININGRUN_CACHE", Path.home() / ".cache" / "trainingrun"))


def say(text: str) -> None:
    """Print a line at once, with the time since this process started."""
    print(f"[{time.monotonic() - STARTED:6.1f} s] {text}", flush=True)


STARTED = time.monotonic()


class CommandError(RuntimeError):
    """A command that failed, with what it printed."""


def run(command: list[str], stdin: str | None = None, timeout: float = 600) -> str:
    """The command's standard output; CommandError with its standard error where it fails."""
    done = subprocess.run(
        command, input=stdin, capture_output=True, text=True, env=environment(), timeout=timeout, check=False
    )
    if done.returncode != 0:
        raise CommandError(f"{' '.join(command)} failed ({done.returncode}): {done.stderr.strip()[-2000:]}")
    return done.stdout


def kubectl(*arguments: str, stdin: str | None = None, timeout: float = 120) -> str:
    """What kubectl prints."""
    return run(["kubectl", *arguments], stdin, timeout)


def get(*arguments: str) -> Any:
    """An object, or a list of objects, as kubectl gets it."""
    return json.loads(kubectl("get", *arguments, "-o", "json"))


def apply(*manifests: dict[str, Any]) -> str:
    """Apply objects as a user would."""
    return kubectl("apply", "-f", "-", stdin="\n---\n".join(json.dumps(one) for one in manifests))


_CACHED: dict[str, str] = {}


def environment() -> dict[str, str]:
    """The environment in which kubectl and helm find the cluster."""
    if not _CACHED:
        code = "import json, os; print(json.dumps(dict(os.environ)))"
        command = [*CLUSTER, "exec", "--", sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        _CACHED.update(json.loads(done.stdout))
    return _CACHED


def cluster(*arguments: str) -> None:
    """Run the cluster tool, its progress on our own output."""
    subprocess.run([*CLUSTER, *arguments], check=True)
    _CACHED.clear()


def images() -> dict[str, str]:
    """Build what is missing, and name each role's image."""
    subprocess.run([CLUSTER[0], str(REPOSITORY / "images" / "build.py")], check=True)
    return dict(json.loads((CACHE / "images.json").read_text()))


def install(values: dict[str, Any] | None = None) -> dict[str, str]:
    """Cluster, images and operator, from whatever state the machine is in; each role's image."""
    cluster("up")
    built = images()
    say("Installing the operator with Helm …")
    apply(namespace(SYSTEM_NAMESPACE))
    helm({"images": named(built), **(values or {})})
    return built


def named(built: dict[str, str]) -> dict[str, Any]:
    """The chart's `images`: each role's, and one for the engine of docs/engine-contract.md."""
    roles: dict[str, Any] = {role: image for role, image in built.items() if role != "quickstart-data"}
    return roles | {"custom": {"tiny": built["pretrain"]}}


def helm(values: dict[str, Any]) -> None:
    """Install or upgrade the chart and wait until the operator is ready."""
    chart = str(REPOSITORY / "helm" / "trainingrun")
    command = ["helm", "upgrade", "--install", RELEASE, chart, "--namespace", SYSTEM_NAMESPACE]
    run([*command, "--values", "-", "--wait", "--timeout", "180s"], stdin=json.dumps(values))


def namespace(name: str) -> dict[str, Any]:
    """A namespace that admits only pods under Pod Security `restricted`."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def operator_pod() -> dict[str, Any]:
    """The operator's pod; empty while none runs."""
    selector = "app.kubernetes.io/name=trainingrun"
    pods = [
        pod
        for pod in get("pods", "-n", SYSTEM_NAMESPACE, "-l", selector)["items"]
        if "deletionTimestamp" not in pod["metadata"] and pod["status"]["phase"] == "Running"
    ]
    return dict(pods[0]) if pods else {}


def operator_is_ready(instead_of: str = "") -> bool:
    """Whether an operator is at work, and not the one of this uid."""
    pod = operator_pod()
    conditions = pod.get("status", {}).get("conditions", [])
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and pod["metadata"]["uid"] != instead_of


def operator_figures() -> dict[str, float]:
    """Sums of the operator's own metrics: resident bytes, API writes, and whatever else it counts."""
    path = f"/api/v1/namespaces/{SYSTEM_NAMESPACE}/services/{RELEASE}:http/proxy/metrics"
    figures: dict[str, float] = {}
    for line in kubectl("get", "--raw", path).splitlines():
        if line.startswith("#") or " " not in line:
            continue
        name, value = line.rsplit(" ", 1)
        key = name.split("{")[0]
        figures[key] = figures.get(key, 0.0) + float(value)
    return figures


def wait_until(question: str, check: Any, seconds: float, every: float = 0.5) -> Any:
    """The first true answer of `check`; AssertionError that repeats the question after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        answer = check()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"Not within {seconds:.0f} s: {question}")
        time.sleep(every)
