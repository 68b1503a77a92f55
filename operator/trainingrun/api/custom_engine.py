"""An engine of the user's own: what the operator has to know of it without reading its configuration.

The contract that such an engine keeps is docs/engine-contract.md.
"""

from typing import Annotated, Final

from pydantic import Field

from trainingrun.api.base import Model, Name
from trainingrun.api.nanotron_size import token_bytes
from trainingrun.api.nanotron_types import DataStageRequest, NanotronTranslation

OWN_VARIABLES: Final = ("TRAININGRUN_", "PET_")  # beginnings of variables that the operator and its controller set

Word = Annotated[str, Field(max_length=32768)]


class Custom(Model):
    """What engine custom runs, and the sizes of its training."""

    image: Name
    """Entry of images.custom in the chart's values, which names the image; no other is run."""
    command: Annotated[list[Word], Field(max_length=64)] = []
    """The container's command; the image's own where it is left out."""
    args: Annotated[list[Word], Field(max_length=256)] = []
    """The container's arguments; the image's own where both are left out."""
    env: Annotated[dict[str, Word], Field(max_length=64)] = {}
    """Variables of the container, which change nothing about the weights; no secrets, which everybody could read."""
    steps: Annotated[int, Field(ge=1)]
    """Steps that the whole training takes."""
    tokens_per_step: Annotated[int, Field(ge=1)]
    """Tokens that a step trains on, over all GPUs."""
    sequence_length: Annotated[int, Field(ge=1)]
    """Tokens of a sample."""
    vocab_size: Annotated[int, Field(ge=2)]
    """Ids that the model knows; below 65,536 a token takes 2 bytes in the token files, else 4."""
    seed: Annotated[int, Field(ge=0)] = 42
    """What the engine draws from: its data order and its first weights."""


def translate(
    custom: Custom, config: dict[str, object], every: int | None, sources: tuple[tuple[str, float], ...]
) -> NanotronTranslation:
    """The sizes of a custom engine's training, as those of the others; its configuration stays as it is."""
    return NanotronTranslation(
        config=dict(config),
        notes=(),
        data_stages=(DataStageRequest("all", 1, custom.seed, sources),),
        total_steps=custom.steps,
        tokens_per_step=custom.tokens_per_step,
        sequence_length=custom.sequence_length,
        vocab_size=custom.vocab_size,
        token_bytes=token_bytes(custom.vocab_size),
        checkpoint_every=every or custom.steps,
        seed=custom.seed,
    )
