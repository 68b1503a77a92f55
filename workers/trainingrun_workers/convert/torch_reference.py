"""The torch engine's own model and weights, of which a conversion is a copy that is compared all the same."""

import dataclasses
from pathlib import Path
from typing import Any

from trainingrun_workers.errors import BadData


def torch_weights(checkpoint: Path) -> dict[str, Any]:
    """All weights of a checkpoint of the torch engine, which have transformers' names already."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    file = checkpoint / "model.safetensors"
    try:
        return dict(load_file(str(file)))
    except (OSError, SafetensorError) as error:
        raise BadData("CheckpointTorn", f"The checkpoint's {file} can't be read: {error}") from error


class TorchReference:
    """The engine's Llama of one configuration."""

    def __init__(self, config: dict[str, Any], dtype: Any) -> None:
        import torch

        from trainingrun_workers.torch_engine.model import Llama, Shape

        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.stands_in = False
        self._dtype = dtype
        # transformers attends over all that it is given, and here one text is.
        self._shape = dataclasses.replace(Shape.of(config), end_of_text=None)
        self._model = Llama(self._shape).eval().to(self.device)

    def load(self, checkpoint: Path) -> None:
        """Take over the weights of a checkpoint."""
        weights = torch_weights(checkpoint)
        if self._shape.tied:
            weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
        self._model.to(self._dtype)
        self._model.load_state_dict(weights)

    def logits(self, tokens: Any, dtype: Any) -> Any:
        """Logits of a [1, n] tensor of ids as [n, vocabulary] in float32 on the CPU, computed in `dtype`."""
        import torch

        self._model.to(dtype)
        with torch.no_grad():
            return self._model(tokens.to(self.device))[0].float().cpu()
