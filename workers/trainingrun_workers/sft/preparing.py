"""Stands beside Axolotl while it prepares the data: counts what it drops, and has pairs tokenized for TRL already."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from trainingrun_workers.sft.prepared import RowCounts


@contextmanager
def watched(pairs: bool) -> Iterator[list[RowCounts]]:
    """A list whose first item will be the counts of the training data; empty where Axolotl finds them prepared.

    Axolotl itself tells of dropped rows in its log alone.
    """
    counts: list[RowCounts] = []
    module, replacements = _of_pairs(counts) if pairs else _of_conversations(counts)
    with ExitStack() as stack:
        for name, function in replacements.items():
            stack.enter_context(mock.patch.object(module, name, function))
        yield counts


def _of_conversations(counts: list[RowCounts]) -> tuple[Any, dict[str, Any]]:
    from axolotl.utils.data import sft

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

    return sft, {
        "handle_long_seq_in_dataset": drop_overlong,
        "process_datasets_for_packing": drop_unlabelled,
        "save_preprocessed_dataset": _saving(sft.save_preprocessed_dataset),
    }


def _of_pairs(counts: list[RowCounts]) -> tuple[Any, dict[str, Any]]:
    """The same for preferences, of which only overlong ones are dropped: those read before the first merge count."""
    from axolotl.utils.data import rl

    from trainingrun_workers.sft import pair_tokens

    load, merge, rows = rl.load_dataset_with_config, rl.merge_datasets, [0]

    def counted(*given: Any, **named: Any) -> Any:
        data = load(*given, **named)
        rows[0] += len(data["train"] if hasattr(data, "keys") else data)
        return data

    def merged(data: Any, config: Any) -> Any:
        tokenizer, split = rl.load_tokenizer(config), "test" if counts else "train"
        made = pair_tokens.tokenized(
            merge(data, config), tokenizer, config.sequence_len, config.dataset_num_proc, split
        )
        if not counts:
            counts.append(RowCounts(rows[0], rows[0] - len(made), 0, len(made)))
        return made

    return rl, {
        "load_dataset_with_config": counted,
        "merge_datasets": merged,
        "save_preprocessed_dataset": _saving(rl.save_preprocessed_dataset),
    }


def _saving(save: Callable[..., None]) -> Callable[..., None]:
    """Axolotl's way to save, in this process where the data are small."""

    def save_in_this_process(config: Any, data: Any, name: str, split: str) -> None:
        if config.dataset_num_proc:
            save(config, data, name, split)
        else:  # Axolotl would start one process at least, which takes longer than to write small data
            data.save_to_disk(f"{config.dataset_prepared_path}/{name}")

    return save_in_this_process
