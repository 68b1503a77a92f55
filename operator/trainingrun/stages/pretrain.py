"""The pretrain stage: a PyTorchJob in which the engine trains the base model."""

from typing import Any

from trainingrun.api.base import quantity, seconds
from trainingrun.api.training import Preflight
from trainingrun.stages import network
from trainingrun.stages.context import Context, Need
from trainingrun.stages.instances import Instance
from trainingrun.stages.layout import token_folders
from trainingrun_workers.contract import DataSource, DataStage, PretrainSpec


def need(context: Context, _: Instance, __: tuple[int, ...]) -> Need:
    """The translated configuration, the token folders by data stage, and a gang of `nodes` pods."""
    run, translated = context.run.spec, context.translated.pretrain
    pretrain = run.pretrain
    spec = PretrainSpec(
        config=translated.config,
        data=_data(context),
        token_bytes=translated.token_bytes,
        total_steps=translated.total_steps,
        tokens_per_step=translated.tokens_per_step,
        nodes=pretrain.nodes,
        processes_per_node=max(pretrain.gpus_per_node, 1),
        cpu=pretrain.gpus_per_node == 0,
        checkpoint_every=translated.checkpoint_every,
        keep_last=pretrain.checkpoints.keep_last,
        keep_every=pretrain.checkpoints.keep_every,
        evaluate_every=run.evaluate.checkpoints.every if run.evaluate and run.evaluate.checkpoints else None,
        converted=context.places["convert"].folder,
        hang_timeout=seconds(pretrain.recovery.hang_timeout),
        skips=context.skips,
        loss_spike=pretrain.bad_loss.spike,
        engine=pretrain.engine,
        auto_interval=pretrain.checkpoints.interval == "auto",
        saves_in_background=pretrain.checkpoints.background,
        sequence_length=translated.sequence_length,
        vocab_size=translated.vocab_size,
        seed=translated.seed,
        preflight=_preflight(pretrain.preflight),
        seconds_between_failures=seconds(pretrain.recovery.mean_time_between_failures),
    )
    return Need(
        spec=spec,
        placement=pretrain,
        pods=pretrain.nodes,
        gpus=pretrain.gpus_per_node,
        gpu_resource=pretrain.gpu_resource,
        environment=network.environment(pretrain) | (pretrain.custom.env if pretrain.custom is not None else {}),
        custom=pretrain.custom,
        devices=pretrain.network.resources,
        grace_seconds=int(seconds(pretrain.recovery.grace_period)),
    )


def _preflight(asked: Preflight) -> dict[str, Any]:
    floors = {
        "matmulTflops": asked.matmul_tflops,
        "allReduceGbs": asked.all_reduce_gbs,
        "volumeMbs": asked.volume_mbs,
        "shmFree": quantity(asked.shm_free) if asked.shm_free else None,
    }
    known = {name: floor for name, floor in floors.items() if floor is not None}
    return {"enabled": asked.enabled, "timeout": seconds(asked.timeout), "floors": known}


def _data(context: Context) -> tuple[DataStage, ...]:
    folders = token_folders(context.run, context.translated)
    return tuple(
        DataStage(
            name=stage.name,
            start_step=stage.start_step,
            seed=stage.seed,
            sources=tuple(DataSource(name, folders[name], weight) for name, weight in stage.sources),
        )
        for stage in context.translated.pretrain.data_stages
    )
