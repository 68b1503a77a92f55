"""How all ranks come to one decision, through the hosts' memory and beside the GPUs' own traffic."""

import datetime
from collections.abc import Sequence
from typing import Any, Final

import torch
import torch.distributed as distributed

# Long, since ranks wait here while others write a checkpoint; the watchdog ends what really hangs.
TIMEOUT: Final = datetime.timedelta(hours=6)


class Agreement:
    """A gloo group of all ranks; each call is to be made by every one of them."""

    def __init__(self) -> None:
        self._group = distributed.new_group(backend="gloo", timeout=TIMEOUT)
        self.rank = distributed.get_rank()

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """Each flag, true where it is so on any rank; one small message a step."""
        values = torch.tensor(flags, dtype=torch.uint8)
        distributed.all_reduce(values, op=distributed.ReduceOp.MAX, group=self._group)
        return tuple(bool(value) for value in values.tolist())

    def from_rank_0(self, value: Any) -> Any:
        """What rank 0 gave, on every rank."""
        values = [value]
        distributed.broadcast_object_list(values, src=0, group=self._group, device=torch.device("cpu"))
        return values[0]

    def of_all(self, value: Any) -> list[Any]:
        """What each rank gave, by rank."""
        values: list[Any] = [None] * distributed.get_world_size()
        distributed.all_gather_object(values, value, group=self._group)
        return values

    def table(self, row: Sequence[float]) -> list[list[float]]:
        """The numbers that each rank gave, by rank; every rank gives as many."""
        own = torch.tensor(row, dtype=torch.float64)
        rows = [torch.empty_like(own) for _ in range(distributed.get_world_size())]
        distributed.all_gather(rows, own, group=self._group)
        return [one.tolist() for one in rows]

    def wait(self) -> None:
        """Until every rank is here."""
        distributed.barrier(group=self._group)
