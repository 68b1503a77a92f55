"""A rank's micro batches of each step."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import torch
from nanotron import distributed as dist
from nanotron.parallel.pipeline_parallel.tensor_pointer import TensorPointer

from trainingrun_workers.pretrain.sample_reader import SampleReader


class Shape(Protocol):
    """What of a trainer says which samples a rank gets."""

    parallel_context: Any
    unwrapped_model: Any
    model_config: Any
    micro_batch_size: int
    n_micro_batches_per_batch: int
    global_batch_size: int
    sequence_length: int


class Batches:
    """The micro batches of a rank: the same samples make up a step for any number of ranks.

    `windows` yields the bytes of the run's samples from a number to before another, `token_bytes` bytes a token.
    """

    def __init__(
        self, shape: Shape, windows: Callable[[int, int], Iterable[bytes]], token_bytes: int, device: str
    ) -> None:
        self._shape, self._device = shape, device
        context, model = shape.parallel_context, shape.unwrapped_model
        own = shape.micro_batch_size * shape.n_micro_batches_per_batch
        self._reader = SampleReader(
            windows, token_bytes, shape.model_config.vocab_size, shape.sequence_length, shape.global_batch_size,
            dist.get_rank(context.dp_pg) * own, own,
        )  # fmt: skip
        place = dist.get_rank(context.pp_pg)
        self._has_inputs = place == model.input_pp_rank
        self._has_labels = place == model.output_pp_rank

    def of_step(self, step: int) -> Iterator[dict[str, Any]]:
        """The micro batches of a step, counted from 1, as nanotron's models take them."""
        if not (self._has_inputs or self._has_labels):
            return iter([self._micro_batch(None)] * self._shape.n_micro_batches_per_batch)
        tokens = torch.from_numpy(self._reader.of_step(step)).to(self._device)
        return map(self._micro_batch, tokens.split(self._shape.micro_batch_size))

    def _micro_batch(self, tokens: Any) -> dict[str, Any]:
        inputs, labels = (
            (TensorPointer(self._shape.unwrapped_model.input_pp_rank),) * 2,
            (TensorPointer(self._shape.unwrapped_model.output_pp_rank),) * 2,
        )
        if self._has_inputs:
            inputs = _with_mask(tokens[:, :-1])
        if self._has_labels:
            labels = _with_mask(tokens[:, 1:])
        return dict(zip(("input_ids", "input_mask", "label_ids", "label_mask"), (*inputs, *labels), strict=True))


def _with_mask(tokens: Any) -> tuple[Any, Any]:
    return tokens.contiguous(), torch.ones(tokens.shape, dtype=torch.bool, device=tokens.device)
