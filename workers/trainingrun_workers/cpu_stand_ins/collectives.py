"""gloo where nanotron is written for NCCL."""

from typing import Any

import torch
import torch.distributed as distributed


class _Done:
    """The handle of a collective that has already ended."""

    def wait(self) -> None:
        return None


def install() -> None:
    """Make the collectives that nanotron calls right on gloo."""
    reduce = distributed.all_reduce

    def all_reduce(tensor: Any, *args: Any, **kwargs: Any) -> Any:
        # gloo divides in place for AVG, which autograd refuses on a parameter.
        return reduce(tensor.detach(), *args, **kwargs)

    def all_reduce_coalesced(tensors: Any, op: Any = distributed.ReduceOp.SUM, group: Any = None, **_: Any) -> _Done:
        # nanotron waits for the last bucket's handle alone. NCCL runs buckets in order, gloo's threads do not.
        flat = torch.cat([one.detach().reshape(-1) for one in tensors])
        reduce(flat, op=op, group=group)
        parts = flat.split([one.numel() for one in tensors])
        for one, part in zip(tensors, parts, strict=True):
            one.detach().copy_(part.view_as(one))
        return _Done()

    distributed.all_reduce = all_reduce
    distributed.all_reduce_coalesced = all_reduce_coalesced
