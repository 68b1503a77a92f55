"""A rank's micro batches of each step, read one step ahead."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np
import torch
from nanotron import distributed as dist
from nanotron.parallel.pipeline_parallel.tensor_pointer import TensorPointer

from trainingrun_workers.errors import BadData


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
        self._shape = shape
        self._windows = windows
        self._type = np.dtype(f"<u{token_bytes}")
        self._device = device
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="batches")
        self._ahead: tuple[int, Future[Any]] | None = None
        context, model = shape.parallel_context, shape.unwrapped_model
        place = dist.get_rank(context.pp_pg)
        self._has_inputs = place == model.input_pp_rank
        self._has_labels = place == model.output_pp_rank

    def of_step(self, step: int) -> Iterator[dict[str, Any]]:
        """The micro batches of a step, counted from 1, as nanotron's models take them."""
        if not (self._has_inputs or self._has_labels):
            return iter([self._micro_batch(None)] * self._shape.n_micro_batches_per_batch)
        if self._ahead is None or self._ahead[0] != step:
            self._ahead = (step, self._reader.submit(self._read, step))
        tokens = self._ahead[1].result()
        self._ahead = (step + 1, self._reader.submit(self._read, step + 1))
        return map(self._micro_batch, torch.from_numpy(tokens).to(self._device).split(self._shape.micro_batch_size))

    def _read(self, step: int) -> Any:
        shape = self._shape
        own = shape.micro_batch_size * shape.n_micro_batches_per_batch
        first = (step - 1) * shape.global_batch_size + dist.get_rank(shape.parallel_context.dp_pg) * own
        data = b"".join(self._windows(first, first + own))
        tokens = np.frombuffer(data, self._type)
        if tokens.max() >= shape.model_config.vocab_size:
            raise BadData(
                "TokenOutOfVocabulary",
                f"A token {tokens.max()} is in the data of step {step}, but the model's vocabulary ends before "
                f"{shape.model_config.vocab_size}: use the tokenizer that the vocabulary size was made for.",
            )
        return tokens.astype(np.int64).reshape(own, shape.sequence_length + 1)

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
