"""The convert stage: Jobs that make Hugging Face folders of the checkpoints that are due."""

from trainingrun.stages.context import Context, Need
from trainingrun.stages.instances import Instance
from trainingrun.stages.translated import volume_path
from trainingrun_workers.contract import ConvertSpec


def need(context: Context, _: Instance, batch: tuple[int, ...]) -> Need:
    """One attempt's batch of checkpoints."""
    run = context.run.spec
    spec = ConvertSpec(
        pretrain=context.places["pretrain"].folder,
        steps=batch,
        tokenizer=volume_path(run.tokenizer.path),
        tolerance=run.convert.tolerance,
    )
    return Need(spec=spec, placement=run.convert)
