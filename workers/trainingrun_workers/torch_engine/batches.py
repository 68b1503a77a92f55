"""A rank's micro batches of each step."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
import torch.distributed as distributed

from trainingrun_workers.contract import PretrainSpec
from trainingrun_workers.pretrain.sample_reader import SampleReader
from trainingrun_workers.torch_engine.shares import share


class Batches:
    """The micro batches of a rank: the same samples make up a step for any number of ranks."""

    def __init__(self, spec: PretrainSpec, windows: Callable[[int, int], Iterable[bytes]], device: str) -> None:
        tokens = spec.config["tokens"]
        of = spec.tokens_per_step // tokens["sequence_length"]
        self._of, self._micro, self._device = of, tokens["micro_batch_size"], device
        together = spec.config["parallelism"]["tp"]  # ranks that share one copy of the model, and its samples
        self._ranks = distributed.get_world_size() // together
        self._share = own = share(of, self._ranks, distributed.get_rank() // together, self._micro)
        vocabulary = spec.config["model"]["model_config"]["vocab_size"]
        self._reader = SampleReader(
            windows, spec.token_bytes, vocabulary, tokens["sequence_length"], of, own.offset, own.sequences
        )

    def of_step(self, step: int) -> Iterator[dict[str, Any]]:
        """The micro batches of a step, counted from 1: ids and labels, each [micro batch, length], and the weight.

        Mean losses times weights, averaged over ranks and summed, are the mean over all sequences of the step.
        """
        samples = torch.from_numpy(self._reader.of_step(step)).to(self._device, non_blocking=True)
        return (self._micro_batch(samples, number) for number in range(self._share.micro_batches))

    def _micro_batch(self, samples: Any, number: int) -> dict[str, Any]:
        rows, first = self._share.rows(number, self._micro), number * self._micro
        part = samples[first : first + rows] if rows else samples[:1]  # one that counts for nothing
        weight = rows * self._ranks / self._of
        return {"input_ids": part[:, :-1].contiguous(), "label_ids": part[:, 1:].contiguous(), "weight": weight}
