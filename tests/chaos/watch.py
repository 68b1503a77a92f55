"""What happens in a namespace and when it was seen: its pods and runs, through watches that stay open."""

import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from e2e import installation
from trainingrun.api import names
from trainingrun.cluster.views import MAIN_CONTAINERS, REPLICA_TYPE

Answer = TypeVar("Answer")


@dataclass
class Pod:
    """A pod of a run; times are seconds since the epoch on this machine's clock."""

    name: str
    run: str
    stage: str
    attempt: int
    master: bool
    node: str = ""
    container: str = ""  # the main container's id, without the runtime's name
    running_at: float | None = None  # its main container runs
    free_at: float | None = None  # it has ended or is gone, so that what it held can be given to others

    def take(self, raw: dict[str, Any], gone: bool, now: float) -> None:
        """Note what has become of it."""
        status = raw.get("status") or {}
        self.node = raw["spec"].get("nodeName") or self.node
        for one in status.get("containerStatuses") or ():
            if one["name"] in MAIN_CONTAINERS:
                self.container = (one.get("containerID") or "").rpartition("/")[2]
                if "running" in (one.get("state") or {}):
                    self.running_at = self.running_at or now
        if gone or status.get("phase") in ("Succeeded", "Failed"):
            self.free_at = self.free_at or now


@dataclass
class End:
    """How an attempt ended, and when the run's status said so."""

    at: float
    cause: str
    message: str


@dataclass
class Seen:
    """A run as it was last seen, and the ends of its attempts by stage and number."""

    raw: dict[str, Any] = field(default_factory=dict)
    ends: dict[tuple[str, int], End] = field(default_factory=dict)

    def stage(self, name: str) -> dict[str, Any]:
        """A stage's status; empty where there is none yet."""
        stages = (self.raw.get("status") or {}).get("stages") or ()
        return next((one for one in stages if one["name"] == name), {})


class Watch:
    """Follows a namespace until closed."""

    def __init__(self, namespace: str) -> None:
        """Begin; what is already there is seen first."""
        self._pods: dict[str, Pod] = {}
        self._runs: dict[str, Seen] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._processes: dict[str, subprocess.Popen[str]] = {}
        runs = f"/apis/{names.API_VERSION}/namespaces/{namespace}/{names.PLURAL}"
        for path, take in ((f"/api/v1/namespaces/{namespace}/pods", self._pod), (runs, self._run)):
            threading.Thread(target=self._follow, args=(f"{path}?watch=1&timeoutSeconds=7200", take)).start()

    def close(self) -> None:
        """End the watches."""
        self._closed = True
        for process in self._processes.values():
            process.kill()

    def wait(self, question: str, check: Callable[[], Answer], seconds: float) -> Answer:
        """The first true answer of `check`, which is asked at each change; AssertionError after so many seconds."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not (answer := check()):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"Not within {seconds:.0f} s: {question}")
                self._changed.wait(left)
            return answer

    def run(self, name: str) -> Seen:
        """A run as it was last seen."""
        return self._runs.get(name) or Seen()

    def pods(self, run: str, stage: str | None = None, attempt: int | None = None) -> list[Pod]:
        """A run's pods, also those that are gone; of one stage, and of one of its attempts, where these are named."""
        found = [one for one in list(self._pods.values()) if one.run == run and stage in (None, one.stage)]
        return [one for one in found if attempt in (None, one.attempt)]

    def _follow(self, path: str, take: Callable[[str, dict[str, Any]], None]) -> None:
        while not self._closed:
            command = ["kubectl", "get", "--raw", path]
            with subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=installation.environment()
            ) as process:
                self._processes[path] = process
                if self._closed:
                    process.kill()
                for line in process.stdout or ():
                    with self._changed, contextlib.suppress(ValueError):  # a line that was cut
                        event = json.loads(line)
                        take(event["type"], event["object"])
                        self._changed.notify_all()
            time.sleep(0.2)

    def _pod(self, kind: str, raw: dict[str, Any]) -> None:
        metadata = raw.get("metadata") or {}
        labels = metadata.get("labels") or {}
        if names.LABEL_RUN not in labels:
            return
        pod = self._pods.setdefault(
            metadata["uid"],
            Pod(
                name=metadata["name"],
                run=labels[names.LABEL_RUN],
                stage=labels[names.LABEL_STAGE],
                attempt=int(labels[names.LABEL_ATTEMPT]),
                master=labels.get(REPLICA_TYPE, "master").lower() == "master",
            ),
        )
        pod.take(raw, kind == "DELETED", time.time())

    def _run(self, kind: str, raw: dict[str, Any]) -> None:
        name = (raw.get("metadata") or {}).get("name", "")
        if kind == "DELETED":
            self._runs.pop(name, None)
            return
        seen = self._runs.setdefault(name, Seen())
        seen.raw = raw
        for one in (raw.get("status") or {}).get("attempts") or ():
            if one.get("endedAt"):
                end = End(time.time(), one.get("cause") or "", one.get("message") or "")
                seen.ends.setdefault((one["stage"], one["number"]), end)
