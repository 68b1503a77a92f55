"""What is expected of an engine that is not ours: that it gets on, and that it has written what it says.

Our own engines are watched within their pods; of another one there are only its reports and its last words.
"""

from collections.abc import Mapping
from typing import Any, Final

from trainingrun.api.base import seconds
from trainingrun.plan.draft import Draft, epoch
from trainingrun.plan.outcomes import Ended
from trainingrun.stages.instances import Instance

STEPPING: Final = ("", "training")  # activities in which a step is expected; during others the longer limit holds
LONGER: Final = 10.0  # times hangTimeout, for loading, compiling and saving
LONGEST_LIMIT: Final = 3600.0  # seconds that these may take in any case


def is_custom(draft: Draft, instance: Instance) -> bool:
    """Whether the stage is pretraining by an engine that is not ours."""
    return instance.kind == "pretrain" and draft.context.run.spec.pretrain.custom is not None


def hung(draft: Draft, instance: Instance) -> Ended | None:
    """The end of an attempt whose engine has taken no step for too long, or has never reported one."""
    if not is_custom(draft, instance) or not all(pod.started for pod in draft.pods(instance.name)):
        return None
    since, limit, what = _silence(draft, instance)
    left = since + limit - draft.now
    if left > 0:
        draft.wake_in([left])
        return None
    message = (
        f"The custom engine {what} for {draft.now - since:.0f} s, longer than pretrain.recovery.hangTimeout allows: "
        "see the pods' logs."
    )
    return Ended("Hang", "Hang", message)


def _silence(draft: Draft, instance: Instance) -> tuple[float, float, str]:
    """Since when no step has been seen, how long that may last, and what is missing."""
    timeout = seconds(draft.context.run.spec.pretrain.recovery.hang_timeout)
    longer = max(LONGER * timeout, LONGEST_LIMIT)
    number = draft.stages[instance.name].attempt
    begun = max(
        (epoch(one.started_at) for one in draft.attempts if (one.stage, one.number) == (instance.name, number)),
        default=draft.now,
    )
    begun = max([begun, *(pod.created_at for pod in draft.pods(instance.name))])
    progress = draft.stages[instance.name].progress
    if progress is None or epoch(progress.reported_at) < begun:
        return begun, longer, "has reported no step"
    steps = progress.activity is None or progress.activity in STEPPING
    return max(begun, epoch(progress.advanced_at)), timeout if steps else longer, f"stands at step {progress.step:,}"


def unfinished(draft: Draft, instance: Instance, output: Mapping[str, Any]) -> Ended | None:
    """The end of an attempt whose engine ended with 0 and does not say that the last checkpoint is there."""
    if not is_custom(draft, instance):
        return None
    total, steps = draft.context.translated.pretrain.total_steps, output.get("checkpoints")
    if isinstance(steps, list) and all(type(step) is int for step in steps) and total in steps:
        return None
    message = (
        f"The custom engine ended with exit code 0, but its last words name no checkpoint of step {total:,}: let it "
        "write that, then list it in output.checkpoints of its termination message."
    )
    return Ended("Unfinished", "Unfinished", message, 0)
