"""torch alone as an engine of the pretrain stage; see `pretrain.engines`."""

import os
from pathlib import Path
from typing import Any

from trainingrun_workers.contract import PretrainSpec
from trainingrun_workers.errors import BadConfig
from trainingrun_workers.pretrain.engines import Windows, need_gpu

__all__ = ["batches", "identity", "join", "load", "trainer"]


def load(spec: PretrainSpec) -> None:
    """Import torch; on GPUs let products of float32 be in TensorFloat-32. BadConfig where no GPU will do."""
    import torch

    if not spec.cpu:
        need_gpu()
        need_type(spec, torch.cuda.get_device_name(), torch.cuda.is_bf16_supported(including_emulation=False))
        torch.set_float32_matmul_precision("high")


def need_type(spec: PretrainSpec, card: str, has_bfloat16: bool) -> None:
    """BadConfig where the model is in bfloat16 and the card has no such numbers."""
    if spec.config["model"]["dtype"] == "bfloat16" and not has_bfloat16:
        raise BadConfig(
            "TypeUnknownToCard",
            f"The {card} does not compute in bfloat16: set model.dtype to float32 in spec.pretrain.config, which takes "
            "twice the memory for activations, or use GPUs from Ampere on.",
        )


def join(cpu: bool, timeout: Any) -> None:
    """Join the process group of all ranks; what lies in the hosts' memory goes by gloo on GPUs as well."""
    import torch

    if not cpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    torch.distributed.init_process_group("gloo" if cpu else "cpu:gloo,cuda:nccl", timeout=timeout)


def trainer(spec: PretrainSpec, scratch: Path, newest: tuple[int, Path] | None) -> Any:
    """A trainer at the newest checkpoint, or at the start."""
    from trainingrun_workers.torch_engine.trainer import Trainer

    return Trainer(spec, newest)


def batches(spec: PretrainSpec, trainer: Any, windows: Windows) -> Any:
    """The trainer's micro batches."""
    from trainingrun_workers.torch_engine.batches import Batches

    return Batches(spec, windows, "cpu" if spec.cpu else "cuda")


def identity() -> dict[str, Any]:
    """The engine's name and torch's version."""
    import torch

    return {"name": "torch", "version": torch.__version__, "sources": None, "wheel": None}
