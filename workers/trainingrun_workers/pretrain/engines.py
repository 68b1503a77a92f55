"""The engines that train: what of each the stage needs, and which one a spec asks for.

An engine is loaded on every rank before the ranks join, and makes a trainer at step 0 or at a checkpoint's.
"""

import importlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, Protocol

from trainingrun_workers.contract import PretrainSpec
from trainingrun_workers.errors import BadConfig, Retry
from trainingrun_workers.watchdog import node_name

Windows = Callable[[int, int], Iterable[bytes]]  # the bytes of the run's samples from a number to before another

_MODULES: Final = {
    "nanotron": "trainingrun_workers.nanotron_engine.engine",
    "torch": "trainingrun_workers.torch_engine.engine",
}


class Engine(Protocol):
    """The functions of an engine's module."""

    def load(self, spec: PretrainSpec) -> None:
        """Import the engine; BadConfig where this machine can't run it."""

    def join(self, cpu: bool, timeout: Any) -> None:
        """Join the process group of all ranks: gloo on CPU, NCCL on this rank's GPU."""

    def trainer(self, spec: PretrainSpec, scratch: Path, newest: tuple[int, Path] | None) -> Any:
        """A trainer, `pretrain.loop.Trainer`, at the newest checkpoint's step and folder, or at the start."""

    def batches(self, spec: PretrainSpec, trainer: Any, windows: Windows) -> Any:
        """The trainer's micro batches: `of_step(step)`, counted from 1."""

    def identity(self) -> dict[str, Any]:
        """Name, version and digests of the engine, for markers and cards."""


def engine(spec: PretrainSpec) -> Engine:
    """The engine that a spec asks for."""
    module: Engine = importlib.import_module(_MODULES[spec.engine])
    return module


def check_engine(name: str, wanted: str, step: int) -> None:
    """BadConfig where a checkpoint is another engine's."""
    if name != wanted:
        raise BadConfig(
            "CheckpointOfAnotherEngine",
            f"The checkpoint of step {step} was made by {name}, which {wanted} can't go on from: name {name} as "
            "spec.pretrain.engine, or make a new run.",
        )


def need_gpu() -> None:
    """BadConfig where no GPU is visible, Retry("BadNode") where fewer are than this pod has ranks."""
    import torch

    if not torch.cuda.is_available():
        raise BadConfig(
            "GpuMissing",
            "The run asks for GPUs but none is visible in this pod: check the node's driver and the image.",
        )
    check_count(torch.cuda.device_count(), int(os.environ.get("LOCAL_WORLD_SIZE") or 1), node_name())


def check_count(visible: int, needed: int, node: str) -> None:
    """Retry("BadNode") naming the node where GPUs are missing."""
    if visible < needed:
        error = Retry(
            "BadNode",
            f"Node {node} has a bad card: {visible} of {needed} GPUs are visible in its pod; restart the node, or "
            "look at its driver's log.",
        )
        error.output = {"node": node, "nodes": [node]}
        raise error
