"""Checkpoints of this engine, which any number of ranks can go on from::

    model.safetensors    the weights by transformers' names, in the model's type, a tied head once
    state/               torch's distributed checkpoint: float32 weights and Adam's moments, cut as the ranks were
    model_config.json, config.json

Source of the format below state/: `torch.distributed.checkpoint`.
"""

from pathlib import Path
from typing import Any, Final

import torch.distributed as distributed
from torch.distributed import checkpoint
from torch.distributed.checkpoint import FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_state_dict,
    set_state_dict,
)

from trainingrun_workers.errors import BadData

WEIGHTS: Final = "model.safetensors"
STATE: Final = "state"


def save(folder: Path, model: Any, optimizer: Any, dtype: Any) -> None:
    """Write a checkpoint with all ranks; OSError on all of them where one fails."""
    from safetensors.torch import save_file

    weights = get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    own, moments = get_state_dict(model, optimizer)
    try:
        checkpoint.save(
            {"model": own, "optimizer": moments},
            storage_writer=FileSystemWriter(folder / STATE, single_file_per_rank=True, sync_files=False),
        )
    except CheckpointException as failed:
        raise _first(failed) from failed
    if distributed.get_rank() == 0:
        tied = model.shape.tied
        kept = {
            name: one.to(dtype).contiguous() for name, one in weights.items() if not tied or name != "lm_head.weight"
        }
        save_file(kept, str(folder / WEIGHTS), metadata={"format": "pt"})


def load(folder: Path, model: Any, optimizer: Any) -> None:
    """Restore model and optimizer on all ranks, however many wrote them; BadData where the checkpoint is of another."""
    own, moments = get_state_dict(model, optimizer)
    state = {"model": own, "optimizer": moments}
    try:
        checkpoint.load(state, storage_reader=FileSystemReader(folder / STATE))
    except CheckpointException as failed:
        raise BadData(
            "CheckpointUnknown",
            f"The checkpoint {folder} does not fit the model or is no checkpoint of the torch engine "
            f"({_first(failed)}): remove it, or make a new run.",
        ) from failed
    set_state_dict(model, optimizer, model_state_dict=state["model"], optim_state_dict=state["optimizer"])


def _first(failed: Any) -> OSError:
    """The first rank's error, as an OSError with its number where it has one."""
    error = next(iter(failed.failures.values()))[0]
    return error if isinstance(error, OSError) else OSError(f"{type(error).__name__}: {error}")
