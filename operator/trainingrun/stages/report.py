"""The report stage: a Job that compares all models of a run and draws how they came about."""

from collections.abc import Iterator

from trainingrun.stages import evaluate
from trainingrun.stages.context import Context, Need
from trainingrun.stages.instances import Instance
from trainingrun.stages.layout import compared_name
from trainingrun.stages.translated import volume_path
from trainingrun_workers.contract import ReportedCurve, ReportedModel, ReportSpec, checkpoint_name


def need(context: Context, _: Instance, __: tuple[int, ...]) -> Need:
    """Every model with its scores, the base model's last checkpoint first, and every stage that trained."""
    gangs: dict[str, str] = {}  # by their folder: what several variants begin with is trained once, and drawn once
    for one in context.instances:
        if one.is_gang:
            gangs.setdefault(context.places[one.name].folder, one.name)
    spec = ReportSpec(
        name=context.run.metadata.name,
        models=tuple(_models(context)),
        curves=tuple(ReportedCurve(name, folder) for folder, name in gangs.items()),
        progression=context.places["evaluate"].folder,
    )
    return Need(spec=spec, placement=context.run.spec.release)


def _models(context: Context) -> Iterator[ReportedModel]:
    run, places = context.run, context.places
    last = checkpoint_name(context.translated.pretrain.total_steps)
    scores = f"{places['evaluate'].folder}/{last}.json"
    yield ReportedModel(run.metadata.name, "base", scores, f"{places['convert'].folder}/{last}")
    for instance in context.instances:
        if instance.kind == "evaluate" and instance.variant is not None:
            for one in evaluate.models(context, instance, ()):
                scores = f"{places[instance.name].folder}/{one.name}.json"
                yield ReportedModel(one.name, "variant", scores, one.folder)
    for other in run.spec.evaluate.compare_with if run.spec.evaluate is not None else ():
        scores = f"{places['compare'].folder}/{compared_name(other.path)}.json"
        yield ReportedModel(other.name, "compared", scores, volume_path(other.path))
