"""Begins the tokenize stage: the tokenizer is being loaded while all else is still imported, which takes as long."""

from trainingrun_workers.contract import Result, StageInput, TokenizeSpec
from trainingrun_workers.errors import wrong_image
from trainingrun_workers.reporting import Reporter
from trainingrun_workers.tokenization.encoders import LoadedAhead
from trainingrun_workers.tokenization.vocabulary import TOKENIZER_FILE
from trainingrun_workers.volume import Volume


def run(stage_input: StageInput, volume: Volume, reporter: Reporter) -> Result:
    """The stage's run; BadConfig where this is another stage's image."""
    spec: TokenizeSpec = stage_input.spec  # type: ignore[assignment]
    fast = LoadedAhead(volume.path(spec.tokenizer) / TOKENIZER_FILE)
    try:
        from trainingrun_workers.tokenization import stage
    except ModuleNotFoundError as error:
        raise wrong_image(stage_input.kind, error) from error
    return stage.run(stage_input, volume, reporter, fast)
