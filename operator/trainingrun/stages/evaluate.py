"""The evaluate stages: lm-eval over checkpoints of the base model, and over each variant's model."""

from trainingrun.stages.context import Context, Need
from trainingrun.stages.instances import Instance
from trainingrun.stages.layout import model_name
from trainingrun.stages.translated import volume_path
from trainingrun_workers.contract import EvaluatedModel, EvaluateSpec, EvaluationTask, checkpoint_name


def need(context: Context, instance: Instance, batch: tuple[int, ...]) -> Need:
    """One attempt's batch of checkpoints, or the variant's model."""
    return asked(context, models(context, instance, batch), progression=instance.variant is None)


def asked(context: Context, models: tuple[EvaluatedModel, ...], progression: bool) -> Need:
    """The run's tasks for these models."""
    evaluate = context.run.spec.evaluate
    if evaluate is None:
        raise ValueError(f"{context.run.metadata.name} has no evaluation, so its stage can't be built.")
    spec = EvaluateSpec(
        models=models,
        tasks=tuple(EvaluationTask(task.name, task.fewshot, task.limit) for task in evaluate.asked()),
        task_folder=volume_path(evaluate.task_folder) if evaluate.task_folder else None,
        seed=evaluate.seed,
        batch_size=evaluate.batch_size,
        cpu=evaluate.gpus == 0,
        progression=progression,
        dataset_folder=volume_path(evaluate.dataset_folder) if evaluate.dataset_folder else None,
    )
    gpu_resource = context.run.spec.pretrain.gpu_resource
    return Need(spec=spec, placement=evaluate, gpus=evaluate.gpus, gpu_resource=gpu_resource)


def models(context: Context, instance: Instance, batch: tuple[int, ...]) -> tuple[EvaluatedModel, ...]:
    """The models of an attempt: checkpoints of the base model, or the variant's."""
    if instance.variant is not None:
        folder = context.places[instance.needs[0]].folder + "/model"
        return (EvaluatedModel(model_name(context.run, instance), folder),)
    converted = context.places["convert"].folder
    return tuple(EvaluatedModel(checkpoint_name(step), f"{converted}/{checkpoint_name(step)}", step) for step in batch)
