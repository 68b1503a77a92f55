"""Checkpoints of this engine, which any number of ranks can go on from::

    model.safetensors    the weights by transformers' names, in the model's type, a tied head once
    state/               torch's distributed checkpoint: float32 weights and Adam's moments, cut as the ranks were
    model_config.json, config.json

Source of the format below state/: `torch.distributed.checkpoint`.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch
import torch.distributed as distributed
from torch.distributed import checkpoint
from torch.distributed.checkpoint import FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.staging import DefaultStager, StagingOptions
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.tensor import DTensor

from trainingrun_workers.errors import BadData
from trainingrun_workers.pretrain.agreement import TIMEOUT

WEIGHTS: Final = "model.safetensors"
STATE: Final = "state"


class Saver:
    """Writes checkpoints with all ranks; made on all of them at the same time.

    Its messages go by a group of its own, so that it may write while another thread trains.
    """

    def __init__(self, model: Any, optimizer: Any, dtype: Any, on_gpu: bool) -> None:
        self._model, self._optimizer, self._dtype = model, optimizer, dtype
        self._group = distributed.new_group(backend="gloo", timeout=TIMEOUT)
        # It keeps the memory that it copies into, so that pages are locked once.
        self._stager = DefaultStager(
            StagingOptions(
                use_pinned_memory=on_gpu, use_shared_memory=False, use_async_staging=False,
                use_non_blocking_copy=on_gpu,
            )
        )  # fmt: skip

    def stage(self) -> Callable[[Path], None]:
        """Copy this rank's state into the host's memory; yields what writes the copy, as `write` does."""
        return functools.partial(self._write, self._stager.stage(self._state()), 0)

    def write(self, folder: Path) -> None:
        """Write a checkpoint of the state as it is; OSError on all ranks where one fails."""
        self._write(self._state(), 10_000_000, folder)

    def _state(self) -> dict[str, Any]:
        own, moments = get_state_dict(self._model, self._optimizer)
        return {"model": own, "optimizer": moments}

    def _write(self, state: dict[str, Any], ahead: int, folder: Path) -> None:
        """`ahead` is how many bytes are copied from a GPU before they are written."""
        writer = FileSystemWriter(
            folder / STATE, single_file_per_rank=True, sync_files=False, per_thread_copy_ahead=ahead
        )
        try:
            checkpoint.save(state, storage_writer=writer, process_group=self._group)
            if distributed.get_rank() == 0:
                self._write_weights(folder, state["model"])
        except CheckpointException as failed:
            raise _first(failed) from failed

    def _write_weights(self, folder: Path, own: dict[str, Any]) -> None:
        from safetensors.torch import save_file

        tied = self._model.shape.tied
        wanted = {name: one for name, one in own.items() if not tied or name != "lm_head.weight"}
        # What is cut is read back rather than gathered, which would hold up training or need messages of its size.
        cut = {
            name: torch.empty(one.shape, dtype=one.dtype) for name, one in wanted.items() if isinstance(one, DTensor)
        }
        if cut:
            checkpoint.load({"model": cut}, storage_reader=FileSystemReader(folder / STATE), no_dist=True)
        kept = {name: cut.pop(name, one).to(self._dtype).cpu().contiguous() for name, one in wanted.items()}
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
