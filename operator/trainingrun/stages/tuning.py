"""The stages of a variant's chain: PyTorchJobs in which Axolotl goes on training a model."""

from trainingrun.api.base import seconds
from trainingrun.api.training import Tuning
from trainingrun.stages import network
from trainingrun.stages.context import Context, Need
from trainingrun.stages.instances import Instance, starts_from
from trainingrun.stages.layout import own_base
from trainingrun_workers.contract import SftSpec, checkpoint_name


def need(context: Context, instance: Instance, _: tuple[int, ...]) -> Need:
    """The stage's configuration, over the model that it starts from."""
    gang = tuning(context, instance)
    return Need(
        spec=spec(context, instance, gang),
        placement=gang,
        pods=gang.nodes,
        gpus=gang.gpus_per_node,
        gpu_resource=gang.gpu_resource,
        environment=network.environment(gang),
        devices=gang.network.resources,
        grace_seconds=int(seconds(gang.recovery.grace_period)),
    )


def spec(context: Context, instance: Instance, gang: Tuning) -> SftSpec:
    """What the stage's workers do."""
    prepared = next((context.places[name].folder for name in instance.needs if name.startswith("prepare-")), None)
    return SftSpec(
        base=base(context, instance),
        config=context.translated.tuning[instance.name].config,
        nodes=gang.nodes,
        processes_per_node=max(gang.gpus_per_node, 1),
        cpu=gang.gpus_per_node == 0,
        hang_timeout=seconds(gang.recovery.hang_timeout),
        prepared=prepared,
        continues=instance.kind == "cpt",
        own_base=starts_from(instance) is None,
    )


def base(context: Context, instance: Instance) -> str:
    """The folder of the model that a stage starts from: the last checkpoint's, the variant's own base, or that of the
    stage before."""
    before = starts_from(instance)
    if before is None:
        return own_base(context.run, instance.variant) or ""
    name = checkpoint_name(context.translated.pretrain.total_steps) if before == "convert" else "model"
    return f"{context.places[before].folder}/{name}"


def tuning(context: Context, instance: Instance) -> Tuning:
    """The part of the run that describes a stage of a variant's chain."""
    variant = next(one for one in context.run.spec.variants if one.name == instance.variant)
    return variant.stages[instance.position or 0].tuning
