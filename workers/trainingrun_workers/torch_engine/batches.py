"""A rank's micro batches of each step."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
import torch.distributed as distributed

from trainingrun_workers.contract import PretrainSpec
from trainingrun_workers.pretrain.sample_reader import SampleReader


class Batches:
    """The micro batches of a rank: the same samples make up a step for any number of ranks."""

    def __init__(self, spec: PretrainSpec, windows: Callable[[int, int], Iterable[bytes]], device: str) -> None:
        tokens = spec.config["tokens"]
        of = spec.tokens_per_step // tokens["sequence_length"]
        together = spec.config["parallelism"]["tp"]  # ranks that share one copy of the model, and its samples
        own = of * together // distributed.get_world_size()
        vocabulary = spec.config["model"]["model_config"]["vocab_size"]
        self._reader = SampleReader(
            windows,
            spec.token_bytes,
            vocabulary,
            tokens["sequence_length"],
            of,
            distributed.get_rank() // together * own,
            own,
        )
        self._micro, self._device = tokens["micro_batch_size"], device

    def of_step(self, step: int) -> Iterator[dict[str, Any]]:
        """The micro batches of a step, counted from 1: ids and labels, each [micro batch, length]."""
        parts = torch.from_numpy(self._reader.of_step(step)).to(self._device, non_blocking=True).split(self._micro)
        return ({"input_ids": part[:, :-1].contiguous(), "label_ids": part[:, 1:].contiguous()} for part in parts)
