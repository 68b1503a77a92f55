"""Looks at the model that a stage starts from before anything heavy is loaded."""

import json
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.errors import BadData, Retry

LONGEST_HEADER: Final = 100_000_000  # bytes; safetensors' own limit


def check(folder: Path, own: bool = False) -> None:
    """Retry where there is no model at `folder` (yet), BadData where its weights are torn.

    Where the folder is the user's `own`, no stage will make it: BadData where there is none.
    """
    weights = sorted(folder.glob("*.safetensors"))
    if own and not ((folder / "config.json").is_file() and weights):
        raise BadData(
            "BaseModelMissing",
            f"There is no model at {folder}, which needs a config.json and safetensors weights: put it there, or "
            "correct the variant's base.path.",
        )
    if not (folder / "config.json").is_file():
        raise Retry(
            "BaseModelMissing",
            f"There is no model at {folder}: the stage that makes it has not finished or its folder was removed.",
        )
    if not weights:
        raise Retry("BaseModelMissing", f"The model at {folder} has no safetensors weights: make it again.")
    for file in weights:
        if file.stat().st_size != _expected_bytes(file):
            raise BadData(
                "BaseModelTorn",
                f"The weights in {file} are not as long as their header says: remove {folder} and make it again.",
            )


def _expected_bytes(file: Path) -> int | None:
    """Length of a safetensors file by its header: 8 bytes of length, the header, the tensors without gaps."""
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        text = stream.read(length) if length <= LONGEST_HEADER else b""
    try:
        header: dict[str, Any] = json.loads(text)
        ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
        return 8 + length + max(ends, default=0)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        return None
