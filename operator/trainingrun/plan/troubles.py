"""What a running attempt is stuck on, in a sentence: images, quotas, the scheduler."""

from collections.abc import Callable
from typing import Final

from trainingrun.plan import gates
from trainingrun.plan.draft import Draft, epoch
from trainingrun.plan.gates import Gate
from trainingrun.plan.observed import PodView, WorkView
from trainingrun.plan.waits import left
from trainingrun.stages.instances import Instance

PODS_EXPECTED_SECONDS: Final = 60.0  # within which a controller that is there has made the pods of a gang
IMAGE_REASONS: Final = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})


def _image(pod: PodView) -> Gate | None:
    if pod.waiting_reason not in IMAGE_REASONS:
        return None
    return Gate(
        "ImagePullFailed",
        f"Pod {pod.name} can't pull image {pod.waiting_image}: {pod.waiting_message or pod.waiting_reason} "
        "Check the chart's images and imagePullSecrets.",
    )


def _container(pod: PodView) -> Gate | None:
    if not pod.waiting_reason.startswith("Create"):
        return None
    return Gate("ContainerCannotStart", f"Pod {pod.name} can't start: {pod.waiting_message or pod.waiting_reason}")


def _unschedulable(pod: PodView) -> Gate | None:
    if not pod.unschedulable:
        return None
    return Gate("Unschedulable", f"Pod {pod.name} has no node: {pod.unschedulable}")


def start(pod: PodView) -> Gate | None:
    """Why a pod that has a node does not start there, or None where nothing is known against it."""
    return _image(pod) or _container(pod)


POD_TROUBLES: Final[tuple[Callable[[PodView], Gate | None], ...]] = (start, _unschedulable)


def trouble(draft: Draft, instance: Instance) -> Gate | None:
    """Why a running attempt does not get on, or None where nothing is known against it."""
    work, pods = draft.work(instance.name), draft.pods(instance.name)
    name = draft.context.child(instance.name, draft.stages[instance.name].attempt).name
    if work is None and (unserved := gates.kind(draft, instance)) is not None:
        return unserved
    if work is None and name in draft.observed.problems:
        return Gate("ObjectRefused", f"{name} can't be made: {draft.observed.problems[name]}")
    if work is not None and work.suspended and not pods:
        return Gate("Queued", _queued(draft, work))
    if work is not None and work.refusal and not pods:
        return Gate("PodsRefused", f"The pods of {work.kind} {work.name} can't be made: {work.refusal}")
    if work is not None and work.kind == "PyTorchJob" and not pods and not work.end:
        return _without_pods(draft, work)
    return next((gate for look in POD_TROUBLES for pod in pods if (gate := look(pod)) is not None), None)


def _without_pods(draft: Draft, work: WorkView) -> Gate | None:
    attempt = next((one for one in reversed(draft.attempts) if one.stage == work.stage), None)
    started = epoch(attempt.started_at) if attempt is not None else 0.0
    if remaining := left(started, PODS_EXPECTED_SECONDS, draft.now):
        draft.wake_in([remaining])
        return None
    return Gate(
        "PodsMissing",
        f"{work.kind} {work.name} has no pods: see whether its controller, Kubeflow's training-operator, is running.",
    )


def _queued(draft: Draft, work: WorkView) -> str:
    queue = draft.context.run.spec.scheduling.queue_name
    if queue is None:
        return f"{work.kind} {work.name} was suspended by something other than the run, which waits for its release."
    return f"{work.kind} {work.name} waits in queue {queue} until it is admitted."
