"""A cluster on a virtual clock in which the real decisions drive a run: events in the order of their times."""

import dataclasses
import heapq
import itertools
from collections.abc import Callable
from typing import Any

from builders import World, a_manifest
from goodput.parameters import Parameters
from trainingrun.api.base import seconds
from trainingrun.api.training_run import TrainingRun
from trainingrun.plan.actions import Deletion
from trainingrun.plan.decide import decide

MANY_STEPS = 100_000_000  # more than any simulation comes to


def manifest(parameters: Parameters) -> dict[str, Any]:
    """A run whose pretraining lasts longer than the simulation; nothing of it is evaluated."""
    made = a_manifest("goodput", evaluate=None, variants=None)
    pretrain = made["spec"]["pretrain"]
    processes = parameters.nodes * parameters.gpus_per_node
    pretrain |= {"nodes": parameters.nodes, "gpusPerNode": parameters.gpus_per_node, "resources": {}}
    pretrain.pop("recovery", None)  # the defaults are what is measured here
    pretrain["config"]["parallelism"] = {"dp": processes, "tp": 1, "pp": 1}
    pretrain["config"]["tokens"]["train_steps"] = MANY_STEPS
    return made


class Cluster(World):
    """The world, with a clock that jumps from event to event and with pods that take their time."""

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters
        self._parsed: TrainingRun | None = None
        self._heap: list[tuple[float, int, bool, Callable[[], None]]] = []
        self._order = itertools.count()
        self._wake = self._looked = 0.0  # when the operator has asked to look again, and when it last did
        self._machines = itertools.count(1)
        self.names = [f"machine-{next(self._machines)}" for _ in range(parameters.nodes)]
        self.when_all_run: Callable[[], None] = lambda: None
        super().__init__(manifest(parameters))

    @property
    def run(self) -> TrainingRun:
        """The run, parsed once: only its status changes."""
        if self._parsed is None:
            self._parsed = TrainingRun.from_object(self.manifest)
        return self._parsed

    def at(self, time: float, happens: Callable[[], None], rings: bool = True) -> None:
        """Let something happen at a time; the operator looks at once only where it rings."""
        heapq.heappush(self._heap, (time, next(self._order), rings, happens))

    def play(self, end: float) -> None:
        """Let everything happen until a time, with the operator's passes when it is rung and when it asked for one."""
        self.settle()
        while True:
            upcoming = self._heap[0][0] if self._heap else end
            time = min(upcoming, self._wake, self._looked + self.parameters.look_seconds)
            if time >= end:
                break
            self.now = max(time, self.now)
            rung = time < upcoming
            while self._heap and self._heap[0][0] <= self.now:
                _, _, rings, happens = heapq.heappop(self._heap)
                happens()
                rung = rung or rings
            if rung:
                self.settle()
        self.now = end

    def step(self, limit: int | None = None) -> bool:
        """One pass, carried out."""
        assert limit is None, "This operator never dies."
        self._looked = self.now
        plan = decide(self.run, self.observed(), self.settings, self.now)
        for manifest in plan.apply:
            self._apply(manifest)
        for deletion in plan.delete:
            self._carry_out(deletion)
        changed = plan.status != self.run.status
        self._parsed = self.run.model_copy(update={"status": plan.status})
        self._wake = self.now + plan.requeue_after if plan.requeue_after else float("inf")
        return changed or bool(plan.apply or plan.delete)

    def _apply(self, manifest: dict[str, Any]) -> None:
        """Make an object; a gang's pods run after a while, each on a machine of its own."""
        super()._apply(manifest)
        if manifest["kind"] != "PyTorchJob":
            return
        name = manifest["metadata"]["name"]
        for pod, machine in zip(self._pods_of(name), self.names, strict=True):
            self.pods[pod] = dataclasses.replace(self.pods[pod], phase="Pending", node=machine, started=False)
        self.at(self.now + self.parameters.pods_running_seconds, lambda: self._all_run(name))

    def _all_run(self, name: str) -> None:
        if name not in self.work:
            return
        for pod in self._pods_of(name):
            self.pods[pod] = dataclasses.replace(self.pods[pod], phase="Running", started=True)
        self.when_all_run()

    def _carry_out(self, deletion: Deletion) -> None:
        """Delete an object; pods on a machine that is gone stay, until they are deleted by force."""
        stuck = {} if deletion.force else {one: pod for one, pod in self.pods.items() if not pod.node_ready}
        if not deletion.force:
            self.work.pop(deletion.name, None)
        self._delete(deletion.name)
        for name, pod in stuck.items():
            self.pods[name] = dataclasses.replace(pod, deleting=True)
            if not pod.deleting:
                grace = seconds(self.run.spec.pretrain.recovery.grace_period)
                self.at(self.now + grace, lambda name=name: self._end_grace(name))  # type: ignore[misc]

    def _end_grace(self, name: str) -> None:
        if name in self.pods:
            self.pods[name] = dataclasses.replace(self.pods[name], delete_grace_ended=True)

    def _pods_of(self, work: str) -> list[str]:
        return [name for name in self.pods if name.startswith(f"{work}-")]

    def lose_machine(self, index: int) -> None:
        """A machine is gone, its pods with it; another one takes its place for what comes later."""
        lost = self.names[index]
        self.names[index] = f"machine-{next(self._machines)}"
        for name, pod in self.pods.items():
            if pod.node == lost:
                self.pods[name] = dataclasses.replace(pod, node_ready=False)
