"""The prepare stages: Jobs that check, tokenize and pack a gang's data before it takes its GPUs."""

import dataclasses

from trainingrun.stages.context import Context, Need
from trainingrun.stages.instances import Instance, prepared_for
from trainingrun.stages.tuning import spec, tuning


def need(context: Context, instance: Instance, _: tuple[int, ...]) -> Need:
    """What the gang will be given, for one process without a GPU."""
    gang = prepared_for(instance, context.instances)
    given = tuning(context, gang)
    alone = dataclasses.replace(spec(context, gang, given), nodes=1, processes_per_node=1, cpu=True, prepared=None)
    return Need(spec=alone, placement=given.prepare)
