"""Reads whole tensors from a nanotron checkpoint, whatever tensor- and pipeline-parallel sizes wrote it.

nanotron writes one safetensors file a shard, with the tensor under the key "data". A sharded tensor's file says in its
metadata what it is part of: `unsharded_shape`, as "(1000, 64)", and `local_global_slices_pairs`, as pairs of
"local#global" with ";" between them, each a list of "start,stop,step" with "|" between dimensions.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trainingrun_workers.errors import BadData


def read_tensor(folder: Path) -> Any:
    """The parameter whose files are in a folder, put together; BadData when one is missing or torn."""
    import torch
    from safetensors import SafetensorError, safe_open

    files = sorted(folder.glob("model_weight*.safetensors"))
    if not files:
        raise BadData(
            "CheckpointTorn", f"The checkpoint has no weights in {folder}: it is incomplete or of another model."
        )
    whole: Any = None
    filled = 0
    for file in files:
        try:
            with safe_open(str(file), framework="pt", device="cpu") as opened:
                metadata, part = opened.metadata() or {}, opened.get_tensor("data")
        except SafetensorError as error:
            raise BadData("CheckpointTorn", f"The checkpoint's file {file} can't be read: {error}") from error
        if "unsharded_shape" not in metadata:
            return part
        if whole is None:
            whole = torch.empty(_shape(metadata["unsharded_shape"]), dtype=part.dtype)
        for local, target in _slices(metadata["local_global_slices_pairs"]):
            whole[target] = part[local]
            filled += part[local].numel()
    if filled != whole.numel():
        raise BadData(
            "CheckpointTorn",
            f"The files in {folder} hold {filled:,} of {whole.numel():,} weights: a shard of it is missing.",
        )
    return whole


def _shape(text: str) -> tuple[int, ...]:
    # numpy 2 made nanotron write "(np.int64(128), 64)".
    return tuple(int(size) for size in re.findall(r"(?<!\w)\d+", text))


def _slices(text: str) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    for pair in text.split(";"):
        local, target = pair.split("#")
        yield _dimensions(local), _dimensions(target)


def _dimensions(text: str) -> tuple[slice, ...]:
    return tuple(slice(*(None if one == "None" else int(one) for one in part.split(","))) for part in text.split("|"))
