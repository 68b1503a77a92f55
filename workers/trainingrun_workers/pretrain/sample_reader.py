"""Reads the samples of one step after another, one step ahead of the training."""

from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from trainingrun_workers.errors import BadData


class SampleReader:
    """The samples of a rank, `per_step` of them a step from the `offset`th of the step's `of` samples on.

    `windows` yields the bytes of the run's samples from a number to before another, `token_bytes` bytes a token.
    """

    def __init__(
        self, windows: Callable[[int, int], Iterable[bytes]], token_bytes: int, vocabulary: int, length: int,
        of: int, offset: int, per_step: int,
    ) -> None:  # fmt: skip
        self._windows, self._type = windows, np.dtype(f"<u{token_bytes}")
        self._vocabulary, self._length = vocabulary, length
        self._of, self._offset, self._per_step = of, offset, per_step
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="batches")
        self._ahead: tuple[int, Future[Any]] | None = None

    def of_step(self, step: int) -> Any:
        """The samples of a step, counted from 1: [samples, length + 1] of int64; BadData where an id is too large."""
        if self._ahead is None or self._ahead[0] != step:
            self._ahead = (step, self._reader.submit(self._read, step))
        tokens = self._ahead[1].result()
        self._ahead = (step + 1, self._reader.submit(self._read, step + 1))
        return tokens

    def _read(self, step: int) -> Any:
        first = (step - 1) * self._of + self._offset
        tokens = np.frombuffer(b"".join(self._windows(first, first + self._per_step)), self._type)
        if tokens.max() >= self._vocabulary:
            raise BadData(
                "TokenOutOfVocabulary",
                f"A token {tokens.max()} is in the data of step {step}, but the model's vocabulary ends before "
                f"{self._vocabulary}: use the tokenizer that the vocabulary size was made for.",
            )
        return tokens.astype(np.int64).reshape(self._per_step, self._length + 1)
