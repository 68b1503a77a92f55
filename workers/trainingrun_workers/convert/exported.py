"""Checkpoints of engines that are not of this package: the model lies in them as transformers has it.

Below a checkpoint, as its engine has written it::

    hf/config.json           transformers' configuration
    hf/model.safetensors     the weights by transformers' names, or model-….safetensors with their index
    hf/probe.safetensors     if the engine will: "tokens" [n] of int64, and "logits" [n, vocabulary] that the engine's
                             own model gives for them, by which the export is checked
"""

import json
import logging
import shutil
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.convert.fidelity import Fidelity, probe_tokens
from trainingrun_workers.convert.folder import TOKENIZER_FILES
from trainingrun_workers.errors import BadConfig, BadData
from trainingrun_workers.models import load_model
from trainingrun_workers.volume import FILE_MODE, sync_file

FOLDER: Final = "hf"
PROBE: Final = "probe.safetensors"
MODEL_FILES: Final = ("config.json", "generation_config.json", "model*.safetensors", "model.safetensors.index.json")
LOGGER: Final = logging.getLogger(__name__)


def is_exported(checkpoint: Path) -> bool:
    """Whether a checkpoint holds its model as transformers has it."""
    return (checkpoint / FOLDER / "config.json").is_file()


def size(checkpoint: Path) -> int:
    """Bytes of the model in a checkpoint."""
    return sum(path.stat().st_size for path in _model_files(checkpoint))


def write_exported(checkpoint: Path, into: Path, tokenizer: Path, tolerance: float, probe: int) -> dict[str, Any]:
    """Copy the model and the tokenizer into a folder and load it again; yields the marker's figures.

    BadData where transformers can't load it, where it gives no numbers, or where it differs from the engine's own.
    """
    import torch

    files = [*_model_files(checkpoint), *(tokenizer / name for name in TOKENIZER_FILES if (tokenizer / name).is_file())]
    for source in files:
        made = Path(shutil.copyfile(source, into / source.name))
        made.chmod(FILE_MODE)
        sync_file(made)
    try:
        model = load_model(into, cpu=not torch.cuda.is_available())
    except BadConfig as error:
        raise BadData(
            "CheckpointUnknown", f"The export in {checkpoint / FOLDER} can't be loaded by transformers: {error.message}"
        ) from error
    figures = _compared(model, checkpoint, tolerance) or _tried(model, checkpoint, probe)
    dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
    return {"dtype": dtype, "parameters": model.num_parameters(), "cpuStandIns": False} | figures


def _model_files(checkpoint: Path) -> list[Path]:
    folder = checkpoint / FOLDER
    return sorted({path for pattern in MODEL_FILES for path in folder.glob(pattern)})


def _logits(model: Any, tokens: Any) -> Any:
    import torch

    with torch.no_grad():
        return model(input_ids=tokens[None].to(model.device)).logits[0].float().cpu()


def _tried(model: Any, checkpoint: Path, count: int) -> dict[str, Any]:
    """Without the engine's own logits it can only be seen that the model computes numbers."""
    config = json.loads((checkpoint / FOLDER / "config.json").read_text())
    length = min(count, int(config.get("max_position_embeddings") or count))
    logits = _logits(model, probe_tokens(model.config.vocab_size, length)[0])
    if not bool(logits.isfinite().all()):
        raise BadData(
            "ConversionUnfaithful",
            f"The model in {checkpoint / FOLDER} gives logits that are no numbers: it is damaged.",
        )
    LOGGER.warning("%s holds no %s, so its export was loaded but not compared", checkpoint.name, PROBE)
    return {"maxLogitDifference": None, "argmaxAgreement": None, "largestLogit": float(logits.abs().max())}


def _compared(model: Any, checkpoint: Path, tolerance: float) -> dict[str, Any] | None:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    file = checkpoint / FOLDER / PROBE
    if not file.is_file():
        return None
    try:
        probe = load_file(str(file))
        tokens, expected = probe["tokens"], probe["logits"].float()
        found = _logits(model, tokens)
        if found.shape != expected.shape:
            raise ValueError(f"logits of {list(expected.shape)} stand beside the model's {list(found.shape)}")
    except (KeyError, ValueError, IndexError, SafetensorError) as error:
        raise BadData("CheckpointUnknown", f"The probe {file} can't be used: {error}.") from error
    difference = float((found - expected).abs().nan_to_num(nan=float("inf")).max())
    agreement = (found.argmax(-1) == expected.argmax(-1)).float().mean().item()
    fidelity = Fidelity(difference, 0.0, agreement, float(expected.abs().max()), len(tokens), tolerance)
    fidelity.check(checkpoint.name)
    return fidelity.figures() | {"maxLogitDifferenceFloat32": None}
