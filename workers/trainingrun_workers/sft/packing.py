"""Has Axolotl pack each epoch once, in an order of its own, and take what was packed before the GPUs were taken.

By itself Axolotl reads the lengths of all conversations one by one, and packs eleven times before the first batch: ten
of these only count sequences, each in an order that is drawn anew.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from unittest import mock

from axolotl.core.trainers import base
from axolotl.utils import trainer
from axolotl.utils.samplers import MultipackBatchSampler, get_dataset_lengths, multipack
from axolotl.utils.schemas.enums import ATTN_IMPLS_SUPPORTING_PACKING, attn_impl_base
from torch.utils.data import SequentialSampler

from trainingrun_workers.sft.ordering import EpochShuffle
from trainingrun_workers.sft.packings import Packings

MOST_EPOCHS: Final = 20  # packed ahead: with max_steps a configuration may name more than it will come to


class PackedOnce(MultipackBatchSampler):  # type: ignore[misc]  # Axolotl is only in its image
    """Packs an epoch once, however often it is asked: over `EpochShuffle` its order never changes."""

    def __init__(self, *given: Any, **named: Any) -> None:
        self._packed: tuple[int, list[list[list[int]]]] | None = None  # epoch and batches
        super().__init__(*given, **{**named, "num_count_samples": 1})  # each count comes to the same

    def generate_batches(self, set_stats: bool = False) -> list[list[list[int]]]:
        """The batches of the epoch, each of them sequences of rows' numbers."""
        epoch = getattr(self.sampler, "epoch", 0)
        if self._packed is None or self._packed[0] != epoch:
            self._batches = None
            self._packed = epoch, super().generate_batches(set_stats)
        return self._packed[1]


@contextmanager
def packed_once(seed: int, packings: Packings) -> Iterator[None]:
    """Have Axolotl do so, both when it counts the steps and when it trains."""
    replaced: dict[Any, dict[str, Any]] = {
        trainer: {"RandomSampler": lambda data: EpochShuffle(len(data), seed)},
        multipack: {"pack_parallel": packings.around(multipack.pack_parallel)},
        base: {},
    }
    for module in (trainer, base):
        replaced[module] |= {"MultipackBatchSampler": PackedOnce, "get_dataset_lengths": lengths_of}
    with ExitStack() as stack:
        for module, replacements in replaced.items():
            for name, replacement in replacements.items():
                stack.enter_context(mock.patch.object(module, name, replacement))
        yield


def lengths_of(data: Any) -> Any:
    """What Axolotl's `get_dataset_lengths` yields, the tokens of each row, without a Python number for each."""
    if "length" not in data.column_names:
        return get_dataset_lengths(data)
    return data.select_columns(["length"]).with_format("arrow")[:]["length"].to_numpy()


def packs_whole_batches(attention: str | None) -> bool:
    """Whether a batch is one long sequence with this `attn_implementation`, as Axolotl decides it."""
    return attn_impl_base(attention) in ATTN_IMPLS_SUPPORTING_PACKING


def pack_epochs(config: Any, data: Any, begun: Callable[[int, int], None]) -> None:
    """Pack all epochs of the training data, and the evaluation's where it is packed, for `packed_once` to keep.

    `begun` is told the number of the epoch that begins, from 1, and how many there are.
    """
    if not config.sample_packing or config.sample_packing_sequentially:  # the latter takes no time
        return
    epochs = 1 if config.curriculum_sampling else min(math.ceil(config.num_epochs), MOST_EPOCHS)
    train, evaluated = data.train_dataset, data.eval_dataset
    order = SequentialSampler(train) if config.curriculum_sampling else EpochShuffle(len(train), config.seed)
    sampler = _sampler(config, order, train)
    for epoch in range(epochs):
        begun(epoch + 1, epochs)
        order.epoch = epoch
        sampler.set_epoch(epoch)
        sampler.generate_batches()
    if evaluated and config.eval_sample_packing:
        _sampler(config, SequentialSampler(evaluated), evaluated).generate_batches()


def _sampler(config: Any, order: Any, data: Any) -> PackedOnce:
    whole = config.attn_supports_packing and not config.multipack_real_batches
    return PackedOnce(
        order, batch_size=1, batch_max_len=config.sequence_len * (config.micro_batch_size if whole else 1),
        lengths=lengths_of(data), group_size=config.sample_packing_group_size,
        bin_size=config.sample_packing_bin_size, num_processes=config.dataset_num_proc,
        mp_start_method=config.sample_packing_mp_start_method or "fork",
    )  # fmt: skip
