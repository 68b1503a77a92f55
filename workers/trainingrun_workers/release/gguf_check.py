"""A written GGUF file loaded again, and its weights and logits beside those of the safetensors."""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.errors import BadConfig
from trainingrun_workers.release.card import GgufFile

PROBE: Final = 128  # tokens
TINY: Final = 1e-12  # so that a tensor of zeros divides nothing by nothing
STRIDE: Final = 7919  # between two of the probe's ids: a prime, so that they lie all over the vocabulary


@dataclass(frozen=True)
class Limits:
    """What rounding alone stays far below, even of random weights; measured: docs/releasing.md."""

    weights: float  # of any tensor's difference, by the tensor's own size
    logits: float  # of the largest difference in float32, by the largest logit
    agreement: float  # least share of positions with the same most likely token


LIMITS: Final = {"f16": Limits(0.002, 0.01, 0.99), "q8_0": Limits(0.05, 0.2, 0.75)}


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
    limits = LIMITS[kind]
    weights = _weights_difference(other, model)
    difference, agreement = _logits_difference(other, model)
    if not (weights <= limits.weights and difference <= limits.logits and agreement >= limits.agreement):
        raise BadConfig(
            "GgufDiffers",
            f"{file.name} is not the model: its weights differ from the safetensors' by {weights:.3g} (limit "
            f"{limits.weights}), the logits by {difference:.3g} of the largest ({limits.logits}), and {agreement:.1%} "
            f"of the most likely tokens are the same ({limits.agreement:.0%}): leave release.gguf out, and report it.",
        )
    return GgufFile(file.name, kind, size, difference, agreement)


def _weights_difference(other: Any, model: Any) -> float:
    """The largest difference of any tensor, by Frobenius norms: |other - model| / |model|."""
    found = dict(other.named_parameters())
    worst = 0.0
    for name, tensor in model.named_parameters():
        own = tensor.detach().cpu().float()
        worst = max(worst, float((found[name].detach() - own).norm() / own.norm().clamp_min(TINY)))
    return worst


def _logits_difference(other: Any, model: Any) -> tuple[float, float]:
    """The largest difference of logits by the largest logit, and the share of positions with the same next token."""
    import torch

    length = min(PROBE, model.config.max_position_embeddings)
    ids = (torch.arange(1, length + 1) * STRIDE % model.config.vocab_size)[None]
    exact = copy.deepcopy(model).to(device="cpu", dtype=torch.float32)  # the model itself stays as it is
    with torch.inference_mode():
        expected, found = exact(ids).logits[0], other(ids).logits[0]
    difference = float((found - expected).abs().max() / expected.abs().max())
    return difference, float((found.argmax(-1) == expected.argmax(-1)).float().mean())
