"""Pairs of answers as TRL's trainer wants them, tokenized when the data are prepared and not when it is built.

A dpo stage's prepared data have the columns `prompt_ids`, `chosen_ids` and `rejected_ids` beside the texts. It is TRL
that makes them, in either case.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any, Final
from unittest import mock

from trl.trainer import dpo_trainer

COLUMNS: Final = frozenset({"prompt_ids", "chosen_ids", "rejected_ids"})
LOGGER: Final = logging.getLogger(__name__)
_prepare: Final = dpo_trainer.DPOTrainer._prepare_dataset


class _Alone:
    """Stands for accelerate's PartialState where one process works and the others wait at Axolotl's lock."""

    main_process_first = staticmethod(nullcontext)


def tokenized(data: Any, tokenizer: Any, length: int, processes: int | None, split: str = "train") -> Any:
    """The data with `COLUMNS`, without the pairs whose question alone fills `length`, as TRL leaves them out."""
    LOGGER.info("tokenizing %d pairs of answers", len(data))
    arguments = SimpleNamespace(dataset_num_proc=processes, max_length=length, truncation_mode="keep_start")
    with mock.patch.object(dpo_trainer, "PartialState", _Alone):
        return _prepare(SimpleNamespace(_tokenizer=tokenizer), data, tokenizer, arguments, split)


@contextmanager
def taken_as_they_are() -> Iterator[None]:
    """Have TRL's trainer take data that have `COLUMNS` already."""

    def prepare(trainer: Any, data: Any, *given: Any) -> Any:
        if set(data.column_names) >= COLUMNS:
            return data
        LOGGER.info("tokenizing %d pairs of answers, which were prepared by an earlier version", len(data))
        return _prepare(trainer, data, *given)

    with mock.patch.object(dpo_trainer.DPOTrainer, "_prepare_dataset", prepare):
        yield
