"""The judge stage: a Job in which models answer prompts, and another model compares their answers in pairs."""

from trainingrun.api.judging import BASE, JudgedModel
from trainingrun.stages.context import Context, Need
from trainingrun.stages.instances import Instance, maker
from trainingrun.stages.translated import volume_path
from trainingrun_workers.contract import EvaluatedModel, JudgeSpec, checkpoint_name


def need(context: Context, _: Instance, __: tuple[int, ...]) -> Need:
    """The models' folders, the prompts, and the Secret with the judge's address."""
    judge = context.run.spec.judge
    if judge is None:
        raise ValueError(f"{context.run.metadata.name} has no judge, so its stage can't be built.")
    spec = JudgeSpec(
        models=tuple(EvaluatedModel(one.name, _folder(context, one)) for one in judge.between),
        prompts=volume_path(judge.prompts),
        secret=judge.secret_name,
        rubric=judge.rubric,
        max_tokens=judge.max_tokens,
        verdict_tokens=judge.verdict_tokens,
        max_unparsable=judge.max_unparsable,
        parallelism=judge.parallelism,
        batch_size=judge.batch_size,
        cpu=judge.gpus == 0,
    )
    gpu_resource = context.run.spec.pretrain.gpu_resource
    return Need(spec=spec, placement=judge, gpus=judge.gpus, gpu_resource=gpu_resource, secrets=(judge.secret_name,))


def _folder(context: Context, model: JudgedModel) -> str:
    if model.path is not None:
        return volume_path(model.path)
    made_by = maker(context.instances, model.name)
    if made_by is None:
        raise ValueError(f"{context.run.metadata.name} makes no model {model.name}, so it can't be judged.")
    folder = context.places[made_by.name].folder
    if model.name == BASE:
        return f"{folder}/{checkpoint_name(context.translated.pretrain.total_steps)}"
    return f"{folder}/model"
