"""The compare stage: a Job that asks other models what the run's own are asked."""

from trainingrun.stages.context import Context, Need
from trainingrun.stages.evaluate import asked
from trainingrun.stages.instances import Instance
from trainingrun.stages.layout import compared_name
from trainingrun.stages.translated import volume_path
from trainingrun_workers.contract import EvaluatedModel


def need(context: Context, _: Instance, __: tuple[int, ...]) -> Need:
    """All comparison models in one process; those whose scores lie on the volume cost nothing."""
    evaluate = context.run.spec.evaluate
    paths = sorted({volume_path(one.path) for one in evaluate.compare_with}) if evaluate is not None else []
    return asked(context, tuple(EvaluatedModel(compared_name(path), path) for path in paths), progression=False)
