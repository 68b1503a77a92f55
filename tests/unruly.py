"""A world in which everything goes wrong that may, and that is calm again in the end."""

import dataclasses
from collections.abc import Callable
from typing import Any, Final

from controllers import Controlled
from trainingrun.plan.observed import Observed
from trainingrun_workers.contract import Result, checkpoint_name

DUE = (0, 300, 600, 900)  # the quickstart's checkpoints

# Ways in which a pod ends that another attempt mends: as fields of its view.
MENDED: Final[tuple[dict[str, Any], ...]] = (
    {"exit_code": 143},
    {"exit_code": 143, "disrupted": "PreemptionByScheduler"},
    {"exit_code": 75, "result": Result(75, "VolumeFull", "The volume is full: make room on it.")},
)
# Those that are counted.
COUNTED: Final[tuple[dict[str, Any], ...]] = (
    *({"exit_code": code} for code in (137, 1, 75)),
    {"exit_code": 137, "ended_reason": "OOMKilled"},
    {"exit_code": 128, "ended_reason": "StartError"},
)
# Those that only the user can mend, and a bad loss, of which data are left out some times before.
FATAL: Final[tuple[dict[str, Any], ...]] = (
    {"exit_code": 65, "result": Result(65, "NonFiniteLoss", "The loss is no number at step 650.", step=650)},
    {"exit_code": 65, "result": Result(65, "LossSpike", "The loss rose to 900 at step 110.", step=110)},
    *({"exit_code": code} for code in (65, 78)),
)


class Unruly(Controlled):
    """Each method of `DEEDS` takes two numbers, so that anything may be done at any time; what can't be is not."""

    def __init__(self, manifest: dict[str, Any] | None = None, harm: int = 1000) -> None:
        """At most `harm` counted failures a stage."""
        super().__init__(manifest)
        self.seen: list[Observed] = []
        self.late = 0  # how many sights old what the next pass sees is
        self.lingers, self.harm = False, harm
        self.harmed: dict[str, int] = {}

    def observed(self) -> Observed:
        """What a pass sees: now, or some sights ago."""
        self.seen = [*self.seen[-8:], super().observed()]
        return self.seen[max(len(self.seen) - 1 - self.late, 0)]

    def pass_cut_short(self, writes: int, _: int) -> None:
        """The operator dies after some writes."""
        self.step(writes % 4)

    def a_pass(self, _: int, __: int) -> None:
        """A whole pass."""
        self.step()

    def a_late_pass(self, late: int, _: int) -> None:
        """A pass by watches that are behind."""
        self.late = late % 5
        self.step()
        self.late = 0

    def _apply(self, manifest: dict[str, Any]) -> None:
        # The second apply of the same is none, and a pod that is still there keeps its place.
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        if f"{kind}/{name}" in self.objects:
            return
        going = {pod: view for pod, view in self.pods.items() if view.deleting}
        super()._apply(manifest)
        self.pods |= going

    def _delete(self, name: str) -> None:
        old = dict(self.pods)
        super()._delete(name)
        if self.lingers:
            gone = {pod: view for pod, view in old.items() if pod not in self.pods and view.phase == "Running"}
            self.pods |= {pod: dataclasses.replace(view, deleting=True) for pod, view in gone.items()}

    def _stages(self) -> list[str]:
        """Stages whose newest attempt has an object."""
        return [one.name for one in self.run.status.stages if one.attempt and self.attempt(one.name) in self.work]

    def _pods(self, which: int, phase: str = "Running") -> tuple[str, list[str]]:
        """A stage and its newest attempt's living pods."""
        stages = self._stages()
        if not stages:
            return "", []
        stage = stages[which % len(stages)]
        name = self.attempt(stage)
        if self.work[name].end:
            return stage, []
        return stage, self.pods_of(name, phase)

    def _may_harm(self, stage: str) -> bool:
        self.harmed[stage] = self.harmed.get(stage, 0) + 1
        return self.harmed[stage] <= self.harm

    def _end(self, which: int, fields: dict[str, Any]) -> None:
        for pod in self._pods(which)[1][which % 2 : which % 2 + 1]:
            self._change(pod, phase="Failed", ended_at=self.now, **fields)

    def _change(self, pod: str, **fields: Any) -> None:
        self.pods[pod] = dataclasses.replace(self.pods[pod], **fields)

    def a_pod_ends(self, which: int, how: int) -> None:
        """By something that is counted against nothing."""
        self._end(which, MENDED[how % len(MENDED)])

    def a_pod_fails(self, which: int, how: int) -> None:
        """By something that is counted."""
        stage, pods = self._pods(which)
        if pods and self._may_harm(stage):
            self._end(which, COUNTED[how % len(COUNTED)])

    def a_pod_ends_for_good(self, which: int, how: int) -> None:
        """By something that only the user can mend."""
        self._end(which, FATAL[how % len(FATAL)])

    def the_same_again(self, which: int, how: int) -> None:
        """A stage fails by one thing over and over."""
        ways = (*COUNTED, *FATAL)
        for _ in range(7):
            self._end(which, ways[how % len(ways)])
            self.jobs_replace_pods(0, 0)
            self.settle().wait(6).wait(400)

    def a_pod_vanishes(self, which: int, _: int) -> None:
        """Deleted and gone before anybody looked; a Job that misses one has failed."""
        stage, pods = self._pods(which)
        if pods and self._may_harm(stage):
            del self.pods[pods[0]]
            self.jobs_count()

    def a_pod_is_deleted(self, which: int, _: int) -> None:
        """By hand."""
        stage, pods = self._pods(which)
        if pods and self._may_harm(stage):
            self._change(pods[0], deleting=True)

    def work_is_deleted(self, which: int, _: int) -> None:
        """A Job or PyTorchJob, by hand, with its pods."""
        stages = self._stages()
        if stages:
            super()._delete(self.attempt(stages[which % len(stages)]))

    def a_node_is_lost(self, which: int, _: int) -> None:
        """Under one stage's pods."""
        stage, pods = self._pods(which)
        if pods and self._may_harm(stage):
            for pod in pods:
                self._change(pod, node_ready=False)

    def there_is_no_room(self, which: int, _: int) -> None:
        """A pod that was running a moment ago has never had a node."""
        for pod in self._pods(which)[1][-1:]:
            self._change(pod, phase="Pending", node="", started=False, unschedulable="0/1 nodes are available.")

    def there_is_room(self, which: int, _: int) -> None:
        """The pod has found a node after all."""
        for pod in self._pods(which, "Pending")[1]:
            self._change(pod, phase="Running", node="node-2", started=True, unschedulable="")

    def pods_linger(self, _: int, __: int) -> None:
        """From now on deleted pods take their time."""
        self.lingers = True

    def pods_go(self, _: int, __: int) -> None:
        """All that were deleted are gone."""
        self.lingers = False
        self.pods = {pod: view for pod, view in self.pods.items() if not view.deleting}
        self.jobs_count()

    def work_completes(self, which: int, _: int) -> None:
        """A stage whose pods are all well ends; where one is missing that is replaced, the others do."""
        stage, pods = self._pods(which)
        if stage and self.is_whole(self.attempt(stage)):
            models = {checkpoint_name(step): {"scores": {"a/acc": step / 1000}} for step in self.stage(stage).batch}
            self.completes(stage, {"models": models, "checkpoints": list(DUE)})
        elif stage and self.work[self.attempt(stage)].replaces_pods:
            for pod in pods:
                self._change(pod, phase="Succeeded", exit_code=0, ended_at=self.now)

    def pretraining_reports(self, step: int, _: int) -> None:
        """A newer step and its checkpoints."""
        if "pretrain" in self._stages():
            at = 130 * (step % 7)
            complete = tuple(one for one in DUE if one <= at)
            self.reports("pretrain", step=at, total=900, checkpoint=max(complete), checkpoints=complete)

    def time_passes(self, minutes: int, seconds: int) -> None:
        """Seconds or minutes."""
        self.now += 60.0 * (minutes % 8) + seconds

    def suspended(self, _: int, __: int) -> None:
        """By the user."""
        if not self.run.spec.suspend:
            self.edit(suspend=True)

    def resumed(self, _: int, __: int) -> None:
        """By the user."""
        if self.run.spec.suspend:
            self.edit(suspend=False)

    def another_number_of_pods(self, pods: int, _: int) -> None:
        """For the tokenize stage, by the user."""
        self.edit(tokenize=self.manifest["spec"]["tokenize"] | {"parallelism": 1 + pods % 3})

    def calm(self, rounds: int = 120) -> "Unruly":
        """Nothing more goes wrong, and all that runs ends well, until nothing is left to do."""
        self.resumed(0, 0)
        for _ in range(rounds):
            self.pods_go(0, 0)
            self.settle()
            self.gangs_get_pods()
            self.jobs_replace_pods(0, 0)
            if self.run.status.phase in ("Succeeded", "Failed"):
                return self
            for which in range(len(self._stages())):
                self.there_is_room(which, 0)
                self.work_completes(which, 0)
            self.now += 400
        raise AssertionError(f"The run does not come to an end: {self.run.status.model_dump_json(exclude_none=True)}")


Deed = Callable[[Unruly, int, int], None]

HARMLESS: Final[tuple[Deed, ...]] = (
    *(Unruly.a_pass,) * 2,
    Unruly.a_late_pass,
    Unruly.pass_cut_short,
    Unruly.a_pod_ends,
    Unruly.a_pod_fails,
    Unruly.a_pod_vanishes,
    Unruly.a_pod_is_deleted,
    Unruly.work_is_deleted,
    *(Controlled.jobs_replace_pods,) * 2,
    Unruly.another_number_of_pods,
    Unruly.a_node_is_lost,
    Unruly.there_is_no_room,
    Unruly.there_is_room,
    Unruly.pods_linger,
    Unruly.pods_go,
    Unruly.work_completes,
    Unruly.pretraining_reports,
    Unruly.time_passes,
    Unruly.suspended,
    Unruly.resumed,
)
DEEDS: Final[tuple[Deed, ...]] = (*HARMLESS, Unruly.a_pod_ends_for_good, Unruly.the_same_again)
