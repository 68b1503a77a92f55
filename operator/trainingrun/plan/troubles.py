"""What a running attempt is stuck on, in a sentence: images, quotas, the scheduler."""

from collections.abc import Callable
from typing import Final

from trainingrun.plan import gates
from trainingrun.plan.draft import Draft
from trainingrun.plan.gates import Gate
from trainingrun.plan.observed import PodView
from trainingrun.stages.instances import Instance

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


POD_TROUBLES: Final[tuple[Callable[[PodView], Gate | None], ...]] = (_image, _container, _unschedulable)


def trouble(draft: Draft, instance: Instance) -> Gate | None:
    """Why a running attempt does not get on, or None where nothing is known against it."""
    work, pods = draft.work(instance.name), draft.pods(instance.name)
    name = draft.context.child(instance.name, draft.stages[instance.name].attempt).name
    if work is None and (unserved := gates.kind(draft, instance)) is not None:
        return unserved
    if work is None and name in draft.observed.problems:
        return Gate("ObjectRefused", f"{name} can't be made: {draft.observed.problems[name]}")
    if work is not None and work.refusal and not pods:
        return Gate("PodsRefused", f"The pods of {work.kind} {work.name} can't be made: {work.refusal}")
    return next((gate for look in POD_TROUBLES for pod in pods if (gate := look(pod)) is not None), None)
