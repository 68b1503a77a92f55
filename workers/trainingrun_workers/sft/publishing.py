"""The trained model, taken out of the trainer's output folder into one that the next stages read."""

import shutil
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.errors import Retry
from trainingrun_workers.pretrain.checkpoints import sync
from trainingrun_workers.volume import FILE_MODE, make_folder, mark_complete

MODEL: Final = "model"
PATTERNS: Final = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt")
_NOT_OF_THE_MODEL: Final = ("trainer_state.json", "tokens_state.json", "preprocessor_config.json", "requirements.txt")


def publish(output: Path, folder: Path, marker: dict[str, Any]) -> Path:
    """Move the model's files from `output` to `<folder>/model`, readable for all and marked; yields that path.

    Retry where the trainer has left no weights.
    """
    made = folder / f".unfinished-{MODEL}"
    shutil.rmtree(made, ignore_errors=True)
    files = [path for pattern in PATTERNS for path in sorted(output.glob(pattern))]
    if not any(path.suffix == ".safetensors" for path in files):
        raise Retry("ModelMissing", f"The trainer has left no weights in {output}: see the pod's log.")
    make_folder(made)
    for path in files:
        if path.name not in _NOT_OF_THE_MODEL:
            path.chmod(FILE_MODE)  # safetensors makes its files private
            path.rename(made / path.name)
    sync(made)
    mark_complete(made, marker)
    target = folder / MODEL
    shutil.rmtree(target, ignore_errors=True)
    made.rename(target)
    return target
