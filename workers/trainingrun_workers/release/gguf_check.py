"""A written GGUF file loaded again, and its logits beside those of the safetensors."""

from pathlib import Path
from typing import Any, Final

from trainingrun_workers.errors import BadConfig
from trainingrun_workers.release.card import GgufFile

PROBE: Final = 128  # tokens
STRIDE: Final = 7919  # between two of the probe's ids: a prime, so that they lie all over the vocabulary
# Largest difference between logits in float32, by the largest logit, and least share of positions with the same most
# likely token. A tiny model with random weights lies within a tenth of either; rows of q and k in the wrong order, or
# another base of the rotary embedding, lie far outside.
LIMITS: Final = {"f16": (0.01, 0.99), "q8_0": (0.1, 0.9)}


def checked(file: Path, kind: str, model: Any) -> GgufFile:
    """What the comparison found; BadConfig where the file is not the model, or transformers can't load it."""
    import torch
    from transformers import AutoModelForCausalLM

    size = file.stat().st_size
    try:
        other = AutoModelForCausalLM.from_pretrained(
            str(file.parent), gguf_file=file.name, local_files_only=True, dtype=torch.float32
        ).eval()
    except (OSError, ValueError, TypeError, KeyError, RuntimeError) as error:
        raise BadConfig("GgufInvalid", f"transformers can't load the GGUF file {file.name}: {error}") from error
    length = min(PROBE, model.config.max_position_embeddings)
    ids = (torch.arange(1, length + 1) * STRIDE % model.config.vocab_size)[None]
    with torch.inference_mode():
        expected, found = _logits(model, ids), other(ids).logits[0]
    difference = float((found - expected).abs().max() / expected.abs().max())
    agreement = float((found.argmax(-1) == expected.argmax(-1)).float().mean())
    most, least = LIMITS[kind]
    if not (difference <= most and agreement >= least):
        raise BadConfig(
            "GgufDiffers",
            f"The logits of {file.name} differ from the safetensors' by {difference:.3g} of the largest (limit {most}) "
            f"and agree on {agreement:.1%} of the most likely tokens (limit {least:.0%}): leave release.gguf out, and "
            "report it.",
        )
    return GgufFile(file.name, kind, size, difference, agreement)


def _logits(model: Any, ids: Any) -> Any:
    """The model's logits in float32, on a copy, so that it stays as it is."""
    import copy

    import torch

    return copy.deepcopy(model).to(device="cpu", dtype=torch.float32)(ids).logits[0]
