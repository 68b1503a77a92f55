"""What a checkpoint is read and compared by, for each engine that writes one."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from trainingrun_workers.convert.reference import Reference
from trainingrun_workers.convert.torch_reference import TorchReference, torch_weights
from trainingrun_workers.convert.weights import Shape, llama_weights
from trainingrun_workers.errors import BadData


class Logits(Protocol):
    """An engine's own model, with whose logits those of the converted one are compared."""

    device: str
    stands_in: bool  # whether parts of the engine that need a GPU were stood in for

    def load(self, checkpoint: Path) -> None:
        """Take over the weights of a checkpoint."""

    def logits(self, tokens: Any, dtype: Any) -> Any:
        """Logits of a [1, n] tensor of ids as [n, vocabulary] in float32 on the CPU, computed in `dtype`."""


@dataclass(frozen=True)
class Origin:
    """An engine's checkpoints: their weights by transformers' names, and the engine's own model."""

    weights: Callable[[Path, dict[str, Any]], dict[str, Any]]  # of a folder and its model_config.json
    reference: Callable[[dict[str, Any], Any], Logits]  # of a model_config.json and a type


_ORIGINS: Final = {
    "nanotron": Origin(lambda folder, config: llama_weights(folder, Shape.of(config)), Reference),
    "torch": Origin(lambda folder, _: torch_weights(folder), TorchReference),
}


def origin(marker: dict[str, Any], checkpoint: Path) -> Origin:
    """The origin of a checkpoint by its marker; BadData where an unknown engine wrote it."""
    engine = marker.get("engine")
    name = engine.get("name") if isinstance(engine, dict) else None
    if name not in _ORIGINS:
        raise BadData(
            "CheckpointUnknown",
            f"The checkpoint {checkpoint} was written by {name}, which is neither of {' and '.join(_ORIGINS)}, and "
            "it holds no hf/config.json: let the engine export the model there (docs/engine-contract.md).",
        )
    return _ORIGINS[name]
