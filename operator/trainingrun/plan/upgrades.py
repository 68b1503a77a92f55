"""What ended under an earlier operator stays as it ended: stages that are new with an upgrade begin when the spec is
changed the next time.

A run that has ended may be years old, and what its later stages would read, scores for example, may be gone from the
volume. To begin them anyway would make a finished run a failed one although nobody has touched it.
"""

from typing import Final

from trainingrun.plan.draft import Draft, timestamp
from trainingrun.stages.instances import Instance

CAME_LATER: Final = "CameLater"  # the reason of a stage that there was not when its run ended


def pass_over(draft: Draft, instance: Instance) -> None:
    """Leave out a stage that the run did not have when it ended, until the spec changes."""
    stage = draft.stages[instance.name]
    if stage.reason == CAME_LATER and stage.generation != draft.generation:
        draft.set(instance.name, phase="Pending", reason=None, message=None, finished_at=None)
    elif draft.is_over and draft.is_new(instance.name):
        draft.set(
            instance.name,
            phase="Succeeded",
            generation=draft.generation,
            reason=CAME_LATER,
            message=f"The run had ended before there was a stage {instance.name}: change the spec to have it made.",
            finished_at=timestamp(draft.now),
        )
