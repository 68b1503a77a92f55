"""Where faults are produced: an installed operator, a namespace with the quickstart's data, runs that really train."""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from chaos.agent import Agent
from chaos.steps import Step, Steps
from chaos.watch import Pod, Watch
from e2e import volume
from e2e.installation import apply, helm, install, kubectl, named, namespace
from e2e.trial import CLAIM, Trial, small_manifest

NAMESPACE: Final = "chaos"
LOW, HIGH = "chaos-low", "chaos-high"  # PriorityClasses
VALUES: Final[dict[str, Any]] = {"worker": {"reportSeconds": 1, "progressSeconds": 2}}  # of the chart
PATIENCE: Final = 400.0  # seconds for whatever is waited for, at most
EVERY: Final = 100  # steps between checkpoints
MEMORY: Final = "1Gi"  # limit of a training pod, which needs less than half of it


class World:
    """All that a fault may use."""

    def __init__(self, seed: int) -> None:
        """Bring it up from whatever state the machine is in."""
        self.images = install(VALUES)
        self.random = random.Random(seed)
        kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=120s", timeout=150)
        apply(namespace(NAMESPACE), _priority(LOW, -1000), _priority(HIGH, 1000))
        apply(volume.claim(CLAIM, NAMESPACE))
        volume.fill(NAMESPACE, CLAIM, self.image)
        self.visit = volume.Visit(NAMESPACE, CLAIM, self.image)
        self.agent = Agent(self.image)
        self.watch = Watch(NAMESPACE)
        self._made = 0

    @property
    def image(self) -> str:
        """An image with a shell and the quickstart's data in it."""
        return self.images["quickstart-data"]

    def install(self) -> None:
        """Install the operator again, as it was."""
        helm({"images": named(self.images), **VALUES})

    def close(self) -> None:
        """Take it away; the operator stays."""
        self.watch.close()
        kubectl("delete", "priorityclass", LOW, HIGH, "--ignore-not-found")
        self.agent.close()
        kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=120s", timeout=150)

    @contextmanager
    def training(self, name: str, steps: int, **storage: Any) -> Iterator["Training"]:
        """A run that trains for so many steps, deleted afterwards; it shares nothing with other runs."""
        self._made += 1
        steps = -(-steps // EVERY) * EVERY  # what is evaluated is a checkpoint
        run = Training(self, f"{name}-{self._made}", steps, self.random.randrange(1, 1 << 30), storage)
        try:
            yield run
        finally:
            run.close()
            run.delete()


class Training(Trial):
    """A run under fault."""

    def __init__(self, world: World, name: str, steps: int, seed: int, storage: dict[str, Any]) -> None:
        """Nothing is applied yet."""
        super().__init__(_manifest(name, steps, seed))
        self.spec["storage"] |= storage
        self.world, self.steps = world, steps
        self._followed: dict[int, Steps] = {}

    def status(self) -> dict[str, Any]:
        """The run's status as the watch has it, without asking again."""
        return dict(self.world.watch.run(self.name).raw.get("status") or {})

    def gang(self, after: int = 0, seconds: float = 300) -> list[Pod]:
        """The pods of the first attempt above `after` of which all run, or ran, at once; followed from now on."""
        nodes = int(self.spec["pretrain"]["nodes"])

        def whole() -> list[Pod]:
            newest = max((pod.attempt for pod in self.world.watch.pods(self.name, "pretrain")), default=0)
            pods = self.world.watch.pods(self.name, "pretrain", newest)
            ready = len(pods) == nodes and all(pod.running_at for pod in pods)
            return pods if newest > after and ready else []

        pods = self.world.watch.wait(f"all pods of {self.name} after attempt {after} run", whole, seconds)
        if pods[0].attempt not in self._followed:
            master = next(pod for pod in pods if pod.master)
            self._followed[pods[0].attempt] = Steps(self.namespace, master.name)
        return sorted(pods, key=lambda pod: not pod.master)

    def trains(self, step: int) -> list[Pod]:
        """Wait until the newest gang has done this step; yields its pods."""
        pods = self.gang()
        assert self.log(pods[0].attempt).reaches(step, PATIENCE), f"{self.name} does not reach step {step}."
        return pods

    def first_step(self, pods: list[Pod]) -> Step:
        """The first step that a gang does, waited for; AssertionError where it ends before."""
        log = self.log(pods[0].attempt)
        log.reaches(1, PATIENCE)
        assert log.first is not None, f"Attempt {pods[0].attempt} of {self.name} did no step."
        return log.first

    def log(self, attempt: int) -> Steps:
        """The steps of an attempt whose gang was asked for."""
        return self._followed[attempt]

    def curve(self, visit: volume.Visit | None = None) -> list[int]:
        """The steps in the run's curve, as they lie on the volume."""
        text = (visit or self.world.visit).sh(f"cat {self.stage('pretrain')['folder']}/metrics.jsonl")
        return [json.loads(line)["step"] for line in text.splitlines()]

    def checkpoints(self, visit: volume.Visit) -> list[int]:
        """The steps of the complete checkpoints that lie on the volume."""
        folder = f"{self.stage('pretrain')['folder']}/checkpoints"
        found = visit.sh(f"cd {folder} && ls -d step-*/COMPLETE.json").split()
        return sorted(int(name.partition("/")[0].removeprefix("step-")) for name in found)

    def ends_whole(self, seconds: float, visit: volume.Visit | None = None) -> bool:
        """Wait until training is complete; whether its curve has each step exactly once."""
        self.until_stage("pretrain", "Succeeded", seconds)
        return self.curve(visit) == list(range(1, self.steps + 1))

    def close(self) -> None:
        """Stop following logs."""
        for one in self._followed.values():
            one.close()


def _manifest(name: str, steps: int, seed: int) -> dict[str, Any]:
    manifest = small_manifest(name, steps=steps, seed=seed) | {"metadata": {"name": name, "namespace": NAMESPACE}}
    pretrain = manifest["spec"]["pretrain"]
    config = pretrain["config"]
    config["checkpoints"]["checkpoint_interval"] = EVERY
    # A fortieth of the quickstart's work a step: what is measured is not training.
    config["model"]["model_config"] |= {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1}
    config["tokens"] |= {"sequence_length": 64, "micro_batch_size": 1}
    # The back-off is what users have who say nothing.
    pretrain["recovery"] = {"maxRestarts": 1000, "gracePeriod": "30s", "hangTimeout": "2m"}
    pretrain["priorityClassName"] = LOW
    pretrain["resources"] = {"requests": {"cpu": "50m", "memory": "512Mi"}, "limits": {"memory": MEMORY}}
    return manifest


def _priority(name: str, value: int) -> dict[str, Any]:
    kind = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}}
    return {**kind, "value": value, "description": "Of the project's own tests of faults."}
