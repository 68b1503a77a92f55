"""Counts the rows that Axolotl drops, of which it only writes to its log."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from trainingrun_workers.sft.prepared import RowCounts


@contextmanager
def counted() -> Iterator[list[RowCounts]]:
    """A list that gets the counts of the training data while Axolotl prepares them; empty where it finds them ready."""
    from axolotl.utils.data import sft

    counts: list[RowCounts] = []
    overlong, packing = sft.handle_long_seq_in_dataset, sft.process_datasets_for_packing

    def drop_overlong(data: Any, *others: Any, **named: Any) -> Any:
        left = overlong(data, *others, **named)
        counts.append(RowCounts(len(data), len(data) - len(left), 0, len(left)))
        return left

    def drop_unlabelled(config: Any, data: Any, *others: Any) -> Any:
        left, evaluation = packing(config, data, *others)
        last = counts[-1]
        counts[-1] = RowCounts(last.rows, last.overlong, len(data) - len(left), len(left))
        return left, evaluation

    with _replaced(sft, "handle_long_seq_in_dataset", drop_overlong):
        with _replaced(sft, "process_datasets_for_packing", drop_unlabelled):
            yield counts


@contextmanager
def _replaced(module: Any, name: str, function: Callable[..., Any]) -> Iterator[None]:
    with mock.patch.object(module, name, function):
        yield
