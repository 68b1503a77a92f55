"""What a run would be given, without a cluster: the objects of every stage's first attempt."""

import math
from collections.abc import Iterator
from itertools import chain, islice

from trainingrun.manifests.meta import Manifest
from trainingrun.plan import checkpoints
from trainingrun.plan.follow_up import claim
from trainingrun.stages.builders import objects
from trainingrun.stages.context import Context
from trainingrun.stages.instances import Instance


def first_attempts(context: Context) -> list[Manifest]:
    """The claim where it is the operator's to make, then the objects of each stage in the order in which it starts."""
    made = (objects(context, one, 1, _batch(context, one)) for one in context.instances)
    return claim(context.run) + [manifest for manifests in made for manifest in manifests]


def _batch(context: Context, instance: Instance) -> tuple[int, ...]:
    """The first batch of checkpoints, where the stage works through them."""
    if instance.follows is None:
        return ()
    size = checkpoints.CONVERT_BATCH if instance.kind == "convert" else checkpoints.evaluate_batch(context)
    return tuple(islice(due(context), size))


def due(context: Context) -> Iterator[int]:
    """Every checkpoint that will be converted and evaluated, oldest first; there may be any number of them."""
    pretrain, evaluate = context.translated.pretrain, context.run.spec.evaluate
    chosen = evaluate.checkpoints if evaluate is not None else None
    stride = math.lcm(pretrain.checkpoint_every, chosen.every) if chosen is not None else 0
    steps = range(0, pretrain.total_steps, stride or max(pretrain.total_steps, 1))
    return (step for step in chain(steps, (pretrain.total_steps,)) if checkpoints.is_due(context, step))
