"""What every tier builds its tests from: runs, and a small world in which decisions are played through."""

import copy
import dataclasses
import functools
import json
from pathlib import Path
from typing import Any

import yaml

from trainingrun.api import names
from trainingrun.api.training_run import TrainingRun
from trainingrun.plan.actions import Event, Plan
from trainingrun.plan.decide import decide
from trainingrun.plan.observed import ClaimView, Neighbour, Observed, PodView, WorkView
from trainingrun.stages.settings import ROLES, Settings
from trainingrun_workers.contract import Result, Snapshot, checkpoint_name

REPOSITORY = Path(__file__).resolve().parents[1]
QUICKSTART = REPOSITORY / "examples" / "quickstart" / "run.yaml"
UID = "0f0f0f0f-1111-2222-3333-444444444444"
TRANSLATE = ("sft-translate", "evaluate-translate", "release-translate")
PREFER = ("sft-prefer", "dpo-prefer", "evaluate-prefer", "release-prefer")
START = 1_800_000_000.0  # the world's first second

SETTINGS = Settings(
    images={role: f"registry.example/{role}@sha256:{'0' * 64}" for role in ROLES},
    report_url="http://trainingrun.example:8080",
)


def a_manifest(name: str = "tiny", **spec: Any) -> dict[str, Any]:
    """The quickstart's manifest under another name, with parts of its spec replaced (None leaves a part out)."""
    manifest: dict[str, Any] = copy.deepcopy(_quickstart())
    manifest["metadata"] = {"name": name, "namespace": "default"}
    for key, value in spec.items():
        if value is None:
            manifest["spec"].pop(key, None)
        else:
            manifest["spec"][key] = value
    return manifest


def a_manifest_that_compares(**models: str) -> dict[str, Any]:
    """The quickstart's manifest with comparison models, a path by name."""
    manifest, named = a_manifest(), models or {"other": "models/other"}
    manifest["spec"]["evaluate"]["compareWith"] = [{"name": name, "path": path} for name, path in named.items()]
    return manifest


@functools.cache
def _quickstart() -> Any:
    return json.loads(json.dumps(yaml.safe_load(QUICKSTART.read_text())))  # without aliases, as the API server has it


def a_training_run(name: str = "tiny", **spec: Any) -> TrainingRun:
    """A parsed run as the API server would have it."""
    return TrainingRun.from_object(with_uid(a_manifest(name, **spec)))


def with_uid(manifest: dict[str, Any], uid: str = UID, generation: int = 1) -> dict[str, Any]:
    """A manifest as the API server gives it back."""
    manifest = copy.deepcopy(manifest)
    manifest["metadata"] |= {"uid": uid, "generation": generation, "creationTimestamp": "2027-01-15T08:00:00Z"}
    return manifest


def a_claim(name: str = "quickstart", **fields: Any) -> ClaimView:
    """A bound, shared claim of 100 GiB."""
    return dataclasses.replace(ClaimView(name, "Bound", ("ReadWriteMany",), 100 * 2.0**30), **fields)


class World:
    """A cluster in miniature: objects appear as plans ask for, and the test plays the kubelet and the workers."""

    def __init__(self, manifest: dict[str, Any] | None = None, settings: Settings = SETTINGS) -> None:
        """A world with one new run and its claim."""
        self.manifest = with_uid(manifest or a_manifest())
        self.settings, self.now = settings, START
        self.claim: ClaimView | None = a_claim(self.manifest["spec"]["storage"].get("claimName", "tiny"))
        self.pytorchjobs_served = True
        self.objects: dict[str, dict[str, Any]] = {}
        self.work: dict[str, WorkView] = {}
        self.pods: dict[str, PodView] = {}
        self.snapshots: dict[str, Snapshot] = {}
        self.neighbours: tuple[Neighbour, ...] = ()
        self.made: frozenset[str] = frozenset()
        self.problems: dict[str, str] = {}
        self.events: list[Event] = []
        self.writes = 0
        self.everything_ever_applied: list[dict[str, Any]] = []

    @property
    def run(self) -> TrainingRun:
        """The run as it stands."""
        return TrainingRun.from_object(self.manifest)

    def stage(self, name: str) -> Any:
        """A stage's status."""
        return next(stage for stage in self.run.status.stages if stage.name == name)

    def condition(self, kind: str) -> Any:
        """A condition of the run."""
        return next(one for one in self.run.status.conditions if one.type == kind)

    def observed(self) -> Observed:
        """What a pass would see now."""
        return Observed(
            claim=self.claim,
            pytorchjobs_served=self.pytorchjobs_served,
            work=tuple(self.work.values()),
            pods=tuple(self.pods.values()),
            config_maps=tuple(name.split("/")[1] for name in self.objects if name.startswith("ConfigMap/")),
            snapshots=tuple(self.snapshots.values()),
            neighbours=self.neighbours,
            made=self.made,
            problems=self.problems,
        )

    def edit(self, **spec: Any) -> None:
        """Change the spec as a user would: the generation goes up."""
        self.manifest["spec"].update(spec)
        self.manifest["metadata"]["generation"] += 1

    def plan(self) -> Plan:
        """The decision of one pass, not carried out."""
        return decide(self.run, self.observed(), self.settings, self.now)

    def step(self, limit: int | None = None) -> bool:
        """One pass, carried out up to `limit` writes (then the operator dies); whether it wrote anything."""
        plan = self.plan()
        writes = [lambda one=one: self._apply(one) for one in plan.apply]
        writes += [lambda one=one: self._delete(one.name) for one in plan.delete]
        status = plan.status.model_dump(by_alias=True, exclude_none=True)
        if plan.status != self.run.status:
            writes.append(lambda: self.manifest.__setitem__("status", status))
        for write in writes[:limit]:
            write()
            self.writes += 1
        if limit is None or limit >= len(writes):
            self.events.extend(plan.events)
        return bool(writes)

    def settle(self, passes: int = 60) -> "World":
        """Pass after pass until nothing is written any more."""
        for _ in range(passes):
            if not self.step():
                return self
        raise AssertionError(f"The run still changes after {passes} passes: {self.run.status}")

    def wait(self, seconds: float) -> "World":
        """Let time pass, then settle."""
        self.now += seconds
        return self.settle()

    def _apply(self, manifest: dict[str, Any]) -> None:
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        self.objects[f"{kind}/{name}"] = manifest
        self.everything_ever_applied.append(manifest)
        if kind not in ("Job", "PyTorchJob"):
            return
        labels = manifest["metadata"]["labels"]
        stage, attempt = labels[names.LABEL_STAGE], int(labels[names.LABEL_ATTEMPT])
        rendered = manifest["metadata"]["annotations"][names.ANNOTATION_RENDERED]
        many, replaces = self._pod_count(manifest), "backoffLimitPerIndex" in manifest["spec"]
        self.work[name] = WorkView(kind, name, f"uid-{name}", stage, attempt, rendered, many, replaces)
        for index in range(self._pod_count(manifest)):
            self._make_pod(f"{name}-{index}", stage, attempt, index)

    def _make_pod(self, name: str, stage: str, attempt: int, index: int) -> None:
        self.pods[name] = PodView(name, stage, attempt, index, "Running", "node-1", started=True, created_at=self.now)

    @staticmethod
    def _pod_count(manifest: dict[str, Any]) -> int:
        if manifest["kind"] == "Job":
            return int(manifest["spec"]["completions"])
        return sum(one["replicas"] for one in manifest["spec"]["pytorchReplicaSpecs"].values())

    def _delete(self, name: str) -> None:
        self.work.pop(name, None)
        self.objects = {key: value for key, value in self.objects.items() if key.split("/")[1] != name}
        self.pods = {pod: view for pod, view in self.pods.items() if pod != name and not pod.startswith(f"{name}-")}

    def attempt(self, stage: str) -> str:
        """Name of the newest attempt's objects."""
        return f"{self.run.metadata.name}-{stage}-a{self.stage(stage).attempt}"

    def change_pod(self, stage: str, index: int = 0, **fields: Any) -> "World":
        """Change one pod of a stage's newest attempt."""
        name = f"{self.attempt(stage)}-{index}"
        self.pods[name] = dataclasses.replace(self.pods[name], **fields)
        return self

    def fails(
        self, stage: str, exit_code: int = 1, result: Result | None = None, index: int = 0, **pod: Any
    ) -> "World":
        """One pod of a stage ends badly, as the kubelet would tell it; peers go on."""
        fields = {"phase": "Failed", "exit_code": exit_code, "ended_at": self.now, "result": result} | pod
        return self.change_pod(stage, index, **fields)

    def completes(self, stage: str, output: dict[str, Any] | None = None) -> "World":
        """Every pod of a stage ends well, and so does its Job."""
        name = self.attempt(stage)
        result = Result(0, "Completed", "Done.", output=output or {})
        for pod, view in self.pods.items():
            replaced = self.work[name].replaces_pods and view.phase == "Failed"
            if (view.stage, view.attempt) == (stage, self.stage(stage).attempt) and not replaced:
                done = {"phase": "Succeeded", "exit_code": 0, "ended_at": self.now, "result": result}
                self.pods[pod] = dataclasses.replace(view, **done)
        self.work[name] = dataclasses.replace(self.work[name], end="Complete", ended_at=self.now)
        return self

    def replaces(self, stage: str, index: int = 0) -> "World":
        """A Job that replaces its pods makes another one for an index, and the old one stays as it ended."""
        name = self.attempt(stage)
        made = sum(pod.startswith(f"{name}-") for pod in self.pods)
        self._make_pod(f"{name}-again-{made}-{index}", stage, self.stage(stage).attempt, index)
        return self

    def gives_up(self, stage: str) -> "World":
        """A Job that replaces its pods has failed: an index of it has failed too often."""
        name = self.attempt(stage)
        self.work[name] = dataclasses.replace(self.work[name], end="Failed", ended_at=self.now)
        return self

    def reports(self, stage: str, **fields: Any) -> "World":
        """A pod of a stage's newest attempt reports."""
        run = self.run.metadata
        snapshot = Snapshot(run.namespace, run.name, run.uid, stage, self.stage(stage).attempt, 0, self.now)
        self.snapshots[stage] = dataclasses.replace(snapshot, **fields)
        return self

    def finishes_batch(self, stage: str) -> "World":
        """The newest batch of convert or evaluate ends well, with a score for each checkpoint."""
        models = {checkpoint_name(step): {"scores": {"task/acc": step / 1000}} for step in self.stage(stage).batch}
        return self.completes(stage, {"models": models}).settle()

    def pretrained(self, checkpoints: tuple[int, ...] = (0, 300, 600, 900)) -> "World":
        """The world after tokenize and pretrain."""
        self.settle().completes("tokenize").settle()
        return self.completes("pretrain", {"checkpoints": list(checkpoints), "loss": 5.25}).settle()

    def finished(self) -> "World":
        """The world after the whole quickstart."""
        self.pretrained()
        for stage in ("convert", "evaluate"):
            while self.stage(stage).phase == "Running":
                self.finishes_batch(stage)
        if any(one.name == "compare" for one in self.run.status.stages):
            self.completes("compare").settle()
        for stage in ("release", *TRANSLATE, *PREFER, "report"):
            if self.stage(stage).phase != "Succeeded":  # as one that another has made as well
                self.completes(stage).settle()
        return self
