"""The sft stages: PyTorchJobs in which Axolotl fine-tunes a variant of the base model."""

from trainingrun.api.base import seconds
from trainingrun.api.training import Sft
from trainingrun.stages import network
from trainingrun.stages.context import Context, Need
from trainingrun.stages.instances import Instance
from trainingrun_workers.contract import SftSpec, checkpoint_name


def need(context: Context, instance: Instance, _: tuple[int, ...]) -> Need:
    """The variant's configuration, over the folder of the last converted checkpoint."""
    sft = variant_sft(context, instance)
    last = checkpoint_name(context.translated.pretrain.total_steps)
    spec = SftSpec(
        base=f"{context.places['convert'].folder}/{last}",
        config=context.translated.variants[instance.variant or ""].config,
        nodes=sft.nodes,
        processes_per_node=max(sft.gpus_per_node, 1),
        cpu=sft.gpus_per_node == 0,
        hang_timeout=seconds(sft.recovery.hang_timeout),
    )
    return Need(
        spec=spec,
        placement=sft,
        pods=sft.nodes,
        gpus=sft.gpus_per_node,
        gpu_resource=sft.gpu_resource,
        environment=network.environment(sft),
        devices=sft.network.resources,
        grace_seconds=int(seconds(sft.recovery.grace_period)),
    )


def variant_sft(context: Context, instance: Instance) -> Sft:
    """The part of the run that describes a variant's fine-tuning."""
    variant = next(one for one in context.run.spec.variants if one.name == instance.variant)
    sft = variant.stages[0].sft
    if sft is None:
        raise ValueError(f"The stage of variant {variant.name} names no kind: give it sft.")
    return sft
