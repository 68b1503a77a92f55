"""Half a gang never holds what a whole one could use: what has no room in time gives everything back."""

from collections.abc import Iterator

from trainingrun.api.base import seconds
from trainingrun.plan import attempts, gates, troubles
from trainingrun.plan.draft import Draft
from trainingrun.plan.observed import PodView
from trainingrun.plan.outcomes import Ended
from trainingrun.stages.instances import Instance


def given_up(draft: Draft, instance: Instance) -> Ended | None:
    """The end of a gang that has waited too long for a node, an image or a start, in the cluster's own words.

    None while it has time left, and then another look is due when that ends.
    """
    if not instance.is_gang:
        return None
    limit = attempts.recovery(draft, instance).scheduling_timeout
    waiting = list(_waiting(draft, instance))
    if not waiting:
        return None
    left = min(since for since, _, _ in waiting) + seconds(limit) - draft.now
    if left > 0.0:
        draft.wake_in([left])
        return None
    _, reason, words = waiting[0]
    cause = "Unschedulable" if reason == "Unschedulable" else "NotStarted"
    return Ended(cause, reason, f"Within {limit} {words}")


def _waiting(draft: Draft, instance: Instance) -> Iterator[tuple[float, str, str]]:
    """Since when the gang waits, the reason and the words, the scheduler's first: pods without a node, pods that can't
    start where they are, and pods not made.

    A gang none of whose pods has a node holds nothing: it is timed only where the scheduler has refused it, and not
    while a queue holds it back.
    """
    pods = draft.pods(instance.name)
    holds = any(pod.node and not _has_ended(pod) for pod in pods)
    for pod in sorted(pods, key=lambda one: (not one.unschedulable, one.created_at, one.name)):
        if pod.unschedulable:
            yield pod.created_at, "Unschedulable", f"pod {pod.name} has found no node: {pod.unschedulable}"
        elif holds and not pod.node and not _has_ended(pod):
            words = f"pod {pod.name} has found no node, and the scheduler does not say why."
            yield pod.created_at, "Unschedulable", words
        elif pod.node and (trouble := troubles.start(pod)) is not None:
            yield pod.created_at, trouble.reason, f"p{trouble.message[1:]}"
    wanted = gates.pods(draft, instance)
    if holds and len(pods) < wanted:
        newest = max(pod.created_at for pod in pods)
        yield newest, "Unschedulable", f"only {len(pods)} of the {wanted} pods of stage {instance.name} were made."


def _has_ended(pod: PodView) -> bool:
    return pod.phase in ("Succeeded", "Failed") or pod.exit_code is not None
