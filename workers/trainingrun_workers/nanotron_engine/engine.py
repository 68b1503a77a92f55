"""nanotron as an engine of the pretrain stage; see `pretrain.engines`."""

from pathlib import Path
from typing import Any

from trainingrun_workers.contract import PretrainSpec
from trainingrun_workers.nanotron_engine.identity import identity
from trainingrun_workers.pretrain.engines import Windows, need_gpu

__all__ = ["batches", "identity", "join", "load", "trainer"]


def load(spec: PretrainSpec) -> None:
    """Import nanotron, with the stand-ins for what it takes from a GPU where the run has none."""
    import torch  # noqa: F401 - before nanotron's own modules

    from trainingrun_workers.nanotron_engine import importing

    if spec.cpu:
        from trainingrun_workers import cpu_stand_ins

        cpu_stand_ins.install()
        importing.prepare()
        cpu_stand_ins.adapt()
        return
    need_gpu()
    importing.prepare()


def join(cpu: bool, timeout: Any) -> None:
    """Join the process group of all ranks."""
    from trainingrun_workers.nanotron_engine import trainer

    trainer.join(cpu, timeout)


def trainer(spec: PretrainSpec, scratch: Path, newest: tuple[int, Path] | None) -> Any:
    """A trainer at the newest checkpoint, or at the start."""
    from trainingrun_workers.nanotron_engine import configuration
    from trainingrun_workers.nanotron_engine.trainer import Trainer

    # nanotron can't load an optimizer that has not stepped; the seed gives step 0's weights again.
    file = configuration.write(spec, scratch, newest[1] if newest and newest[0] else None)
    if not spec.cpu:
        return Trainer(file)
    from trainingrun_workers.cpu_stand_ins.devices import CpuForCuda

    with CpuForCuda():
        return Trainer(file)


def batches(spec: PretrainSpec, trainer: Any, windows: Windows) -> Any:
    """The trainer's micro batches."""
    from trainingrun_workers.nanotron_engine.batches import Batches

    return Batches(trainer, windows, spec.token_bytes, "cpu" if spec.cpu else "cuda")
