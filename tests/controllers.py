"""What the Job controller and Kubeflow's do in the small world of decisions."""

import dataclasses

from builders import World
from trainingrun.manifests.job import RETRIES_PER_INDEX
from trainingrun.plan.observed import WorkView


class Controlled(World):
    """A world in which both are at work, when they are told to."""

    def jobs_count(self) -> None:
        """A Job that misses a pod and does not replace it has failed; a PyTorchJob says nothing."""
        for name, work in self.work.items():
            pods = [pod for pod in self.pods if pod.startswith(f"{name}-")]
            alone = work.kind == "Job" and not work.replaces_pods
            if alone and not work.end and len(pods) < self._pod_count(self.objects[f"Job/{name}"]):
                self.work[name] = dataclasses.replace(work, end="Failed", ended_at=self.now)

    def jobs_replace_pods(self, _: int, __: int) -> None:
        """Those that do: another pod for each that has failed or is gone, until one has failed too often."""
        for name, work in list(self.work.items()):
            if work.replaces_pods and not work.end:
                self._replace_pods(name, work)

    def _replace_pods(self, name: str, work: WorkView) -> None:
        pods = [pod for key, pod in self.pods.items() if key.startswith(f"{name}-")]
        if any(pod.exit_code in (65, 78) for pod in pods):
            self.pods = {key: pod for key, pod in self.pods.items() if pod not in pods or pod.phase == "Failed"}
            self.gives_up(work.stage)
            return
        given_up = False
        for index in range(work.pods):
            mine = [pod for pod in pods if pod.index == index]
            counted = [pod for pod in mine if pod.phase == "Failed" and pod.exit_code != 143 and not pod.disrupted]
            if len(counted) > RETRIES_PER_INDEX:
                given_up = True
            elif all(pod.phase == "Failed" for pod in mine):
                self.replaces(work.stage, index)
        if given_up and not self.pods_of(name):
            self.gives_up(work.stage)

    def is_whole(self, name: str) -> bool:
        """Whether each pod of a Job or PyTorchJob that goes on is well, or has ended well and is not replaced."""
        work, well = self.work[name], self.pods_of(name)
        if work.replaces_pods:
            well += self.pods_of(name, "Succeeded")
        return not work.end and len(well) == self._pod_count(self.objects[f"{work.kind}/{name}"])

    def pods_of(self, name: str, phase: str = "Running") -> list[str]:
        """Names of a Job's or PyTorchJob's pods in a phase."""
        return [pod for pod, view in self.pods.items() if pod.startswith(f"{name}-") and view.phase == phase]

    def gangs_get_pods(self) -> None:
        """A PyTorchJob all of whose pods are gone gets new ones, once its controller is at work again."""
        for name, work in self.work.items():
            if work.kind == "PyTorchJob" and not work.end and not any(pod.startswith(f"{name}-") for pod in self.pods):
                World._apply(self, self.objects[f"PyTorchJob/{name}"])
