"""The operator as a process of its own, with exactly the rights and the environment that the chart gives it."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from local_cluster.programs import built

from builders import REPOSITORY
from control_plane.api import Api, until

RELEASE = "trainingrun"
ACCOUNT_NAMESPACE = "default"
IMAGES = {
    role: f"registry.example/{role}:1" for role in "operator tokenize pretrain convert evaluate sft release".split()
}


def render_chart(*arguments: str, release: str = RELEASE) -> list[dict[str, Any]]:
    """The chart's objects."""
    images = ",".join(f"images.{role}={image}" for role, image in IMAGES.items())
    chart = str(REPOSITORY / "helm" / "trainingrun")
    command = [str(built("helm") / "helm"), "template", release, chart, "--set", images, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def install_rights(api: Api, *arguments: str, release: str = RELEASE) -> None:
    """The chart's ServiceAccount, roles and bindings, nothing else."""
    kinds = ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
    rights = [one for one in render_chart(*arguments, release=release) if one["kind"] in kinds]
    api.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(rights))


def chart_environment() -> dict[str, str]:
    """The variables that the chart's Deployment sets."""
    deployment = next(one for one in render_chart() if one["kind"] == "Deployment")
    variables = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    return {one["name"]: one["value"] for one in variables if one["name"].startswith("TRAININGRUN_")}


class Operator:
    """One operator process."""

    def __init__(
        self,
        api: Api,
        folder: Path,
        server: str | None = None,
        account: str = RELEASE,
        token_file: Path | None = None,
        clock_shift: float = 0.0,
        sources: Path = REPOSITORY,
        **environment: str,
    ) -> None:
        """One that has the rights of `account` and sees the API server at `server`: a proxy's address, for example.

        With `token_file` its token lies there; its clock is `clock_shift` seconds fast; its code is that of a checkout.
        """
        self.api, self.folder = api, folder
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.log = folder / "operator.log"
        user = {"tokenFile": str(token_file)} if token_file else {"token": api.token(account, ACCOUNT_NAMESPACE)}
        self._kubeconfig = write_kubeconfig(api, folder / "operator.kubeconfig", user, server or api.server)
        self._command = _command(clock_shift)
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": python_path(sources),
            "KUBECONFIG": str(self._kubeconfig),
            **chart_environment(),
            "TRAININGRUN_PORT": str(self.port),
            "TRAININGRUN_LISTEN": "127.0.0.1",
            "TRAININGRUN_ADDRESS": f"http://127.0.0.1:{self.port}",
            "TRAININGRUN_LEASE": f"{ACCOUNT_NAMESPACE}/{account}",
            # All tests' operators are one replica, whose container is started anew, unless a test tells them apart.
            "TRAININGRUN_IDENTITY": "replica",
            **{f"TRAININGRUN_{name.upper()}": value for name, value in environment.items()},
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Operator":
        """Start it."""
        assert self.has_ended()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=log)
        return self

    def wait_until_ready(self, seconds: float = 30.0) -> "Operator":
        """Wait until its watches have shown what there is."""
        until(lambda: self.answer("/readyz")[0] == 200, seconds)
        return self

    def answer(self, path: str, body: bytes | None = None, token: str = "") -> tuple[int, str]:
        """Status and text of an answer of its server; status 0 where it does not answer."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return int(answer.status), answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name: str) -> float:
        """The sum of all samples of a metric."""
        lines = [line for line in self.answer("/metrics")[1].splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    def has_ended(self) -> bool:
        """Whether its process is over, or never was."""
        return self.process is None or self.process.poll() is not None

    def kill(self) -> None:
        """Kill it: no signal handler runs."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def process_signal(self, number: int) -> None:
        """Send it a signal: SIGSTOP to pause it, SIGCONT to wake it."""
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self) -> float:
        """End it as the kubelet would; how long it took."""
        assert self.process is not None
        started = time.monotonic()
        self.process.terminate()
        self.process.wait(timeout=30)
        return time.monotonic() - started

    def said(self) -> str:
        """Its log."""
        return self.log.read_text() if self.log.exists() else ""


def python_path(checkout: Path) -> str:
    """Where the operator's code lies in a checkout."""
    return f"{checkout / 'operator'}:{checkout / 'workers'}"


def write_kubeconfig(api: Api, path: Path, user: dict[str, str], server: str = "") -> Path:
    """A kubeconfig of a user, by way of a server that may be a proxy."""
    server = server or api.server
    cluster = {"server": server} | ({"certificate-authority": api.authority} if server.startswith("https") else {})
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "api", "cluster": cluster}],
        "users": [{"name": "operator", "user": user}],
        "contexts": [{"name": "it", "context": {"cluster": "api", "user": "operator"}}],
        "current-context": "it",
    }
    path.write_text(yaml.safe_dump(document))
    path.chmod(0o600)
    return path


def _command(clock_shift: float) -> list[str]:
    if not clock_shift:
        return [sys.executable, "-m", "trainingrun.controller"]
    program = f"""
import sys, time
right = time.time
time.time = lambda: right() + {clock_shift}
from trainingrun.controller.__main__ import main
sys.exit(main())
"""
    return [sys.executable, "-c", program]


@contextmanager
def started(operator: Operator) -> Iterator[Operator]:
    """Start an operator, and kill it in the end."""
    try:
        yield operator.start()
    finally:
        if not operator.has_ended():
            operator.kill()


@contextmanager
def running(operator: Operator) -> Iterator[Operator]:
    """Start an operator, wait until it is ready, and kill it in the end."""
    with started(operator):
        yield operator.wait_until_ready()


def free_port() -> int:
    """A port on loopback that nothing listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
