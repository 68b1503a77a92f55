"""A run under test on the real cluster: apply it, change it, read what a user would read."""

import copy
import json
from collections.abc import Callable
from typing import Any, Self

import yaml

from e2e.installation import REPOSITORY as REPOSITORY
from e2e.installation import CommandError, apply, get, kubectl, wait_until

QUICKSTART = REPOSITORY / "examples" / "quickstart" / "run.yaml"
NAMESPACE = "cluster-tests"
CLAIM = "data"


def small_manifest(name: str, claim: str = CLAIM, steps: int = 60, seed: int = 8) -> dict[str, Any]:
    """The quickstart cut to one source, a few dozen steps, a few questions and no variant.

    Runs that agree share what they make: a test that wants training of its own takes a seed of its own.
    """
    manifest: dict[str, Any] = yaml.safe_load(QUICKSTART.read_text())
    manifest["metadata"] = {"name": name, "namespace": NAMESPACE}
    spec = manifest["spec"]
    spec["storage"] = {"claimName": claim}
    spec["data"] = [spec["data"][0] | {"weight": 1.0, "limit": 100}]
    spec["tokenize"] |= {"shards": 1, "parallelism": 1}
    spec["variants"] = []
    config = spec["pretrain"]["config"]
    config["general"]["seed"] = config["data_stages"][0]["data"]["seed"] = seed
    config["tokens"]["train_steps"] = steps
    config["logging"]["iteration_step_info_interval"] = 1  # so that a curve shows every step
    config["checkpoints"]["checkpoint_interval"] = max(steps // 3, 1)
    schedule = config["optimizer"]["learning_rate_scheduler"]
    schedule |= {"lr_warmup_steps": 2, "lr_decay_starting_step": 2, "lr_decay_steps": steps - 2}
    spec["pretrain"]["recovery"] |= {"backoff": "1s"}
    spec["evaluate"]["checkpoints"] = {"every": steps}
    spec["evaluate"]["tasks"] = [{"name": "continuation_en", "limit": 4}]
    return manifest


class Trial:
    """One run, by its manifest."""

    def __init__(self, manifest: dict[str, Any]) -> None:
        """Nothing is applied yet."""
        self.manifest = copy.deepcopy(manifest)
        self.name = manifest["metadata"]["name"]
        self.namespace = manifest["metadata"]["namespace"]

    @property
    def spec(self) -> Any:
        """The manifest's spec, to be changed before `apply`."""
        return self.manifest["spec"]

    def apply(self) -> Self:
        """kubectl apply; CommandError where it is refused."""
        apply(self.manifest)
        return self

    def refusal(self) -> str:
        """What kubectl apply says when it refuses the manifest; AssertionError where it is accepted."""
        try:
            apply(self.manifest)
        except CommandError as error:
            return str(error)
        raise AssertionError(f"{self.name} was accepted.")

    def status(self) -> dict[str, Any]:
        """The run's status; empty before the first pass."""
        found = get("trainingrun", self.name, "-n", self.namespace)
        return dict(found.get("status") or {})

    def stage(self, name: str) -> dict[str, Any]:
        """A stage's status; empty where there is none yet."""
        return next((one for one in self.status().get("stages", []) if one["name"] == name), {})

    def condition(self, kind: str) -> dict[str, Any]:
        """One of the run's conditions; empty where there is none yet."""
        return next((one for one in self.status().get("conditions", []) if one["type"] == kind), {})

    def describe(self) -> str:
        """What a user reads."""
        return kubectl("describe", "trainingrun", self.name, "-n", self.namespace)

    def until(self, question: str, check: Callable[[], Any], seconds: float) -> Any:
        """Wait, and show the run where it was in vain."""
        try:
            return wait_until(f"{self.name}: {question}", check, seconds)
        except AssertionError:
            print(self.describe())
            print(kubectl("get", "pods", "-n", self.namespace, "-o", "wide"))
            raise

    def until_phase(self, phase: str, seconds: float) -> None:
        """Wait until the run's phase is this."""
        self.until(f"phase {phase}", lambda: self.status().get("phase") == phase, seconds)

    def until_stage(self, name: str, phase: str, seconds: float) -> None:
        """Wait until a stage's phase is this."""
        self.until(f"stage {name} {phase}", lambda: self.stage(name).get("phase") == phase, seconds)

    def until_attempt(self, name: str, number: int, seconds: float) -> None:
        """Wait until a stage's attempt of this number has started."""
        question = f"attempt {number} of {name} has started"
        self.until(question, lambda: self.stage(name).get("attempt", 0) >= number, seconds)

    def until_stalled(self, reason: str, seconds: float = 60) -> str:
        """Wait until the run waits for a person for this reason; what `kubectl describe` then says."""

        def stalled() -> bool:
            condition = self.condition("Stalled")
            return bool(condition.get("status") == "True" and condition["reason"] == reason)

        self.until(f"stalled for {reason}", stalled, seconds)
        message = str(self.condition("Stalled")["message"])
        assert message in self.describe().replace("\n", " ")
        return message

    def until_step(self, step: int, seconds: float) -> None:
        """Wait until pretraining has reported this step."""
        self.until(
            f"step {step}", lambda: (self.stage("pretrain").get("progress") or {}).get("step", 0) >= step, seconds
        )

    def until_trains(self, name: str, number: int, seconds: float) -> None:
        """Wait until this attempt of a stage has reported a step of its own, and not its last.

        A stage that is about to start still tells what the attempt before it had said.
        """

        def trains() -> bool:
            attempts, progress = self.status().get("attempts", []), self.stage(name).get("progress") or {}
            began = [one["startedAt"] for one in attempts if (one["stage"], one["number"]) == (name, number)]
            return bool(
                began and progress and progress["advancedAt"] > began[0] and 0 < progress["step"] < progress["total"]
            )

        self.until(f"attempt {number} of {name} trains", trains, seconds)

    def pods(self, stage: str) -> list[dict[str, Any]]:
        """The stage's pods that are there."""
        selector = f"trainingrun.dev/run={self.name},trainingrun.dev/stage={stage}"
        return list(get("pods", "-n", self.namespace, "-l", selector)["items"])

    def patch(self, spec: dict[str, Any]) -> None:
        """Change parts of the spec."""
        merge = json.dumps({"spec": spec})
        kubectl("patch", "trainingrun", self.name, "-n", self.namespace, "--type=merge", "-p", merge)

    def delete(self) -> None:
        """Delete the run and wait until its pods are gone."""
        kubectl("delete", "trainingrun", self.name, "-n", self.namespace, "--ignore-not-found", "--timeout=60s")
        selector = f"trainingrun.dev/run={self.name}"
        wait_until(
            f"{self.name}'s pods are gone",
            lambda: not get("pods", "-n", self.namespace, "-l", selector)["items"],
            90,
        )
