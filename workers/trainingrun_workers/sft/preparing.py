"""Stands beside Axolotl while it prepares the data: counts the rows that it drops, and spares it needless processes."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from trainingrun_workers.sft.prepared import RowCounts


@contextmanager
def watched() -> Iterator[list[RowCounts]]:
    """A list whose first item will be the counts of the training data; empty where Axolotl finds them prepared.

    Axolotl itself tells of dropped rows in its log alone.
    """
    from axolotl.utils.data import sft

    counts: list[RowCounts] = []
    overlong, packing, save = sft.handle_long_seq_in_dataset, sft.process_datasets_for_packing, (
        sft.save_preprocessed_dataset
    )  # fmt: skip

    def drop_overlong(data: Any, *others: Any, **named: Any) -> Any:
        left = overlong(data, *others, **named)
        counts.append(RowCounts(len(data), len(data) - len(left), 0, len(left)))
        return left

    def drop_unlabelled(config: Any, data: Any, *others: Any) -> Any:
        left, evaluation = packing(config, data, *others)
        last = counts[-1]
        counts[-1] = RowCounts(last.rows, last.overlong, len(data) - len(left), len(left))
        return left, evaluation

    def save_in_this_process(config: Any, data: Any, name: str, split: str) -> None:
        if config.dataset_num_proc:
            save(config, data, name, split)
        else:  # Axolotl would start one process at least, which takes longer than to write small data
            data.save_to_disk(f"{config.dataset_prepared_path}/{name}")

    replacements = {
        "handle_long_seq_in_dataset": drop_overlong,
        "process_datasets_for_packing": drop_unlabelled,
        "save_preprocessed_dataset": save_in_this_process,
    }
    with ExitStack() as stack:
        for name, function in replacements.items():
            stack.enter_context(mock.patch.object(sft, name, function))
        yield counts
