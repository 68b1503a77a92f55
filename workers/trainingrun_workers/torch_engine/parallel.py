"""How a model lies on the ranks.

On each of them whole, with DistributedDataParallel; or cut over all of them, with FSDP2; or cut by tensors over some
ranks of one node, with FSDP2 over the groups of these, which DistributedDataParallel can't be laid over.
"""

from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import nn

from trainingrun_workers.torch_engine.model import Llama


@dataclass(frozen=True)
class Plan:
    """The sizes of the mesh, [dp, tp], in which the ranks of one tensor-parallel group follow each other."""

    dp: int
    tp: int
    sharded: bool  # by FSDP2, which casts by a policy of its own

    @classmethod
    def of(cls, config: dict[str, Any], world: int) -> Self:
        """The plan of a configuration for so many ranks."""
        tp = config["parallelism"]["tp"]
        dp = world // tp
        return cls(dp, tp, tp > 1 or (config["optimizer"]["zero_stage"] > 0 and dp > 1))


def wrapped(llama: Llama, plan: Plan, device: Any, dtype: Any, bucket: int) -> Any:
    """The model as it is called, for all ranks together; `llama` itself keeps its parameters, or its parts of them.

    On GPUs each layer is compiled. `bucket` is how many megabytes of gradients DistributedDataParallel sends at once.
    """
    mesh = _mesh(plan, device) if plan.sharded else None
    if plan.tp > 1:
        from trainingrun_workers.torch_engine.tensor_parallel import cut

        cut(llama, mesh["tp"])  # type: ignore[index]
    if device.type != "cpu":
        for layer in llama.model.layers:
            layer.compile()
    if mesh is not None:
        return _sharded(llama, mesh["dp"], dtype)
    if plan.dp == 1:
        return llama
    devices = None if device.type == "cpu" else [device.index]
    return nn.parallel.DistributedDataParallel(
        llama, device_ids=devices, bucket_cap_mb=bucket, gradient_as_bucket_view=True
    )


def _mesh(plan: Plan, device: Any) -> Any:
    return torch.distributed.init_device_mesh(device.type, (plan.dp, plan.tp), mesh_dim_names=("dp", "tp"))


def _sharded(llama: Llama, mesh: Any, dtype: Any) -> Any:
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32)
    for layer in llama.model.layers:
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    return fully_shard(llama, mesh=mesh, mp_policy=policy)
