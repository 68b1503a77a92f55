"""A release of the chart that helm itself installs on an API server; the pods of its hooks are played."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local_cluster.programs import built

from builders import REPOSITORY
from control_plane.api import PATHS, Api, Object
from control_plane.kubelet import Kubelet, is_over
from control_plane.operator_process import ACCOUNT_NAMESPACE, IMAGES, RELEASE, python_path, write_kubeconfig

HOOK = "helm.sh/hook"
CHART = REPOSITORY / "helm" / "trainingrun"


class Release:
    """The release `trainingrun` in the namespace of the operators' account."""

    def __init__(self, api: Api, folder: Path, report_url: str = "") -> None:
        """Nothing is installed yet; the chart's test finds the operator at `report_url`."""
        self.api, self.folder, self.report_url = api, folder, report_url
        self.said: list[str] = []  # what the hooks' containers printed
        self._seen: set[str] = set()  # uids of the hooks that were played

    def helm(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A helm command, whatever it yields."""
        command = [str(built("helm") / "helm"), *arguments]
        options = ["--kubeconfig", str(self.api.kubeconfig), "--namespace", ACCOUNT_NAMESPACE]
        environment = {**os.environ, "HELM_CACHE_HOME": str(self.folder), "HELM_CONFIG_HOME": str(self.folder)}
        return subprocess.run([*command, *options], capture_output=True, text=True, env=environment, check=False)

    def put(self, verb: str, chart: Path = CHART, *values: str) -> None:
        """Install or upgrade, with the pods of hooks played."""
        done = self.attempt(verb, chart, *values)
        assert done.returncode == 0, f"{done.stderr}\n{self.said}"

    def attempt(self, verb: str, chart: Path = CHART, *values: str) -> subprocess.CompletedProcess[str]:
        """The same, whatever comes of it."""
        images = ",".join(f"images.{role}={image}" for role, image in IMAGES.items())
        given = [word for value in (images, *values) for word in ("--set", value)]
        with self.hooks():
            return self.helm(verb, RELEASE, str(chart), *given, "--timeout", "90s")

    @contextmanager
    def hooks(self) -> Iterator[None]:
        """Run what the containers of hooks run, as their accounts, while something goes on."""
        over = threading.Event()
        player = threading.Thread(target=self._play, args=(over,), daemon=True)
        player.start()
        try:
            yield
        finally:
            over.set()
            player.join()

    def _play(self, over: threading.Event) -> None:
        while not over.is_set():
            for one in self._hooked():
                if one["metadata"]["uid"] not in self._seen:
                    self._seen.add(one["metadata"]["uid"])
                    self._run(one)
            time.sleep(0.1)

    def _hooked(self) -> list[Object]:
        found = [
            {**one, "kind": kind, "apiVersion": version}
            for kind, version in (("Job", "batch/v1"), ("Pod", "v1"))
            for one in self.api.list(kind, ACCOUNT_NAMESPACE)
        ]
        return [one for one in found if HOOK in (one["metadata"].get("annotations") or {}) and not is_over(one)]

    def _run(self, hook: Object) -> None:
        """Run its container's command with its account's rights, and say how it ended."""
        kubelet = Kubelet(self.api, ACCOUNT_NAMESPACE)
        spec = hook["spec"]["template"]["spec"] if hook["kind"] == "Job" else hook["spec"]
        code = self._command(spec)
        if hook["kind"] == "Pod":
            kubelet.end_pod(hook, code)
            return
        if code == 0:
            kubelet.finish(hook)
        else:
            kubelet.fail(hook, code)
        for pod in kubelet.pods(hook):  # as the garbage collector would, once the Job is gone
            kubelet.remove(pod)

    def _command(self, spec: Object) -> int:
        (container,), account = spec["containers"], spec["serviceAccountName"]
        token = {"token": self.api.token(account, ACCOUNT_NAMESPACE)}
        kubeconfig = write_kubeconfig(self.api, self.folder / f"{account}.kubeconfig", token)
        own = {one["name"]: one.get("value", "") for one in container.get("env", [])}
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": python_path(REPOSITORY), **own}
        environment |= {"KUBECONFIG": str(kubeconfig)} | ({"TRAININGRUN_REPORT_URL": self.report_url} if own else {})
        command = [sys.executable, *container["command"][1:]]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        self.said.append(done.stdout + done.stderr)
        return done.returncode


def path_of(manifest: Object, query: str = "") -> str:
    """Where an object of the chart is made."""
    version, kind, namespace = manifest["apiVersion"], manifest["kind"], manifest["metadata"].get("namespace")
    if kind in PATHS:
        return PATHS[kind].format(namespace or "default") + query
    plural = f"{kind.lower()[:-1]}ies" if kind.endswith("y") else f"{kind.lower()}s"
    root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
    return "/".join([root, *(["namespaces", namespace] if namespace else []), plural]) + query
