"""The order in which packed conversations are trained on: a function of seed and epoch, and so the same after a resume.

Axolotl's own order depends on how often its sampler was asked before, which differs between a run that goes through
and one that is resumed: that one would see some conversations twice and others never.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import RandomSampler, Sampler


class EpochShuffle(Sampler[int]):  # type: ignore[misc]  # torch is only in the image
    """The numbers below `size`, shuffled anew each epoch."""

    def __init__(self, size: int, seed: int) -> None:
        self._size = size
        self._seed = seed
        self.epoch = 0

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self._seed + self.epoch)
        yield from torch.randperm(self._size, generator=generator).tolist()

    def __len__(self) -> int:
        return self._size


class PackingOrder:
    """Has a trainer of Axolotl pack its training data in the order of `EpochShuffle`."""

    def __init__(self, trainer: Any, seed: int) -> None:
        self._create = trainer._create_multipack_sampler
        self._seed = seed
        self._packing: list[tuple[Any, EpochShuffle]] = []
        trainer._create_multipack_sampler = self._created

    def begin_epoch(self, epoch: int) -> None:
        """Pack anew, for an epoch counted from 0; to be called before its first batch."""
        for sampler, shuffle in self._packing:
            if shuffle.epoch != epoch:
                shuffle.epoch = epoch
                sampler.set_epoch(epoch)  # which has it forget what it has packed

    def _created(self, base_sampler: Any, dataset: Any) -> Any:
        if not isinstance(base_sampler, RandomSampler):  # of an evaluation, or sequential by configuration
            return self._create(base_sampler=base_sampler, dataset=dataset)
        shuffle = EpochShuffle(len(dataset), self._seed)
        sampler = self._create(base_sampler=shuffle, dataset=dataset)
        self._packing.append((sampler, shuffle))
        return sampler
