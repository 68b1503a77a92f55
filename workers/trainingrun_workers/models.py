"""Loads a model or a tokenizer from a folder of the volume, with a sentence where that can't be done."""

from pathlib import Path
from typing import Any

from trainingrun_workers.errors import BadConfig
from trainingrun_workers.offline import go_offline

go_offline()


def load_tokenizer(folder: Path) -> Any:
    """The transformers tokenizer in a folder; BadConfig when there is none."""
    from transformers import AutoTokenizer

    if not folder.is_dir():
        raise BadConfig("TokenizerMissing", f"There is no tokenizer folder at {folder}: put one on the volume.")
    try:
        return AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BadConfig(
            "TokenizerInvalid", f"The folder {folder} holds no tokenizer that transformers loads: {error}"
        ) from error


def load_model(folder: Path, cpu: bool) -> Any:
    """The causal language model in a folder, in its own dtype, in evaluation mode, on the GPU unless `cpu`."""
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM

    if not (folder / "config.json").is_file():
        raise BadConfig("ModelMissing", f"There is no model at {folder}: the stage that makes it has not finished.")
    try:
        model = AutoModelForCausalLM.from_pretrained(str(folder), local_files_only=True, dtype="auto")
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        raise BadConfig(
            "ModelInvalid", f"The folder {folder} holds no model that transformers loads: {error}"
        ) from error
    return model.to("cpu" if cpu else "cuda").eval()


def parameter_count(model: Any) -> int:
    """Number of the model's own weights, tied ones once."""
    return sum(one.numel() for one in model.parameters())
