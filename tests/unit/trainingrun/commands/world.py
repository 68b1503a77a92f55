"""Runs with a volume, for commands: the workers' real code on a real folder; only the API server is a stand-in.

kubectl is a program of that name in the PATH: fake_kubectl.py.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from builders import UID, a_manifest, with_uid
from trainingrun.api import names
from trainingrun.cluster.kinds import POD, Kind
from trainingrun.commands.refusals import AbsentError

WORKERS = Path(__file__).parents[4] / "workers"
PROGRAM = Path(__file__).with_name("fake_kubectl.py")


def a_pod(name: str, stage: str, attempt: int, index: int = 0, run: str = "tiny", phase: str = "Running") -> Any:
    """A pod of an attempt whose container runs or has ended."""
    labels = {names.LABEL_RUN: run, names.LABEL_STAGE: stage, names.LABEL_ATTEMPT: str(attempt)}
    if stage.startswith("pretrain"):
        replica = ("worker", str(index - 1)) if index else ("master", "0")
        labels |= dict(zip(("training.kubeflow.org/replica-type", "training.kubeflow.org/replica-index"), replica,
                           strict=True))  # fmt: skip
    annotations = {"batch.kubernetes.io/job-completion-index": str(index)} if stage == "tokenize" else {}
    state = {"running": {}} if phase == "Running" else {"terminated": {"exitCode": 0}}
    container = "pytorch" if stage == "pretrain" else "worker"
    return {
        "metadata": {"name": name, "uid": name, "labels": labels, "annotations": annotations},
        "spec": {"containers": [{"name": "sidecar"}, {"name": container}]},
        "status": {"phase": phase, "containerStatuses": [{"name": container, "state": state}]},
    }


class World:
    """A cluster of runs and pods, and the folder that their claim is."""

    def __init__(self, root: Path) -> None:
        self.volume, self.root = root / "volume", root
        self.namespace, self.context = "default", "test"
        self.runs: dict[str, Any] = {}
        self.pods: dict[str, tuple[Any, list[str]]] = {}
        for name in ("volume", "pods", "made", "bin"):
            (root / name).mkdir()
        program = root / "bin" / "kubectl"
        program.write_text(f"#!{sys.executable}\n{PROGRAM.read_text()}")
        program.chmod(0o755)

    def add_run(self, name: str = "tiny", status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
        """A run whose claim is the world's."""
        manifest = with_uid(a_manifest(name, storage={"claimName": "quickstart"}, **spec), name + UID[len(name) :])
        self.runs[name] = manifest | {"status": status or {}}
        return dict(self.runs[name])

    def add_pod(self, pod: Any, *lines: str) -> None:
        """A pod with its log so far, each line behind its time."""
        self.pods[pod["metadata"]["name"]] = (pod, list(lines))

    def put(self, path: str, content: str | bytes) -> None:
        """A file on the volume."""
        file = self.volume / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)

    def cut(self, *counts: int) -> None:
        """Let the next readings of files be cut off after so many bytes."""
        (self.root / "cut").write_text(" ".join(map(str, counts)))

    @property
    def visits(self) -> int:
        """How many pods were made on the claim."""
        return len(list((self.root / "made").iterdir()))

    @property
    def left(self) -> list[str]:
        """The pods that nobody has deleted."""
        return [one.name for one in (self.root / "pods").iterdir()]

    # What commands.access.Cluster has.

    def run(self, name: str) -> Any:
        if name not in self.runs:
            raise AbsentError(f"There is no run {name} in namespace default of context test: it has none.")
        return self.runs[name]

    def get(self, kind: Kind, name: str) -> Any:
        assert kind == POD
        if name not in self.pods:
            raise AbsentError(f"There is no pod {name}.")
        return self.pods[name][0]

    def listed(self, kind: Kind, label: str | None = None, everywhere: bool = False) -> list[Any]:
        assert kind == POD
        key, _, value = (label or "").partition("=")
        return [pod for pod, _ in list(self.pods.values()) if pod["metadata"]["labels"].get(key) == value]

    def log_lines(self, pod: str, **options: str) -> Iterator[str]:
        assert options["timestamps"] == "true" and options["container"] in ("pytorch", "worker")
        if pod not in self.pods:
            raise AbsentError(f"There is no pod {pod}.")
        return iter(list(self.pods[pod][1]))
