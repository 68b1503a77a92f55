"""What lets nanotron 0.4 train without a GPU, for demonstrations and tests, at the cost of saying nothing about one.

It shows how a run is launched, logged, checkpointed, resumed, fed and converted. It shows nothing of kernels, NCCL,
memory or speed. So it refuses to load where a GPU is visible, and runs that used it say so.
"""

from trainingrun_workers.cpu_stand_ins import collectives, devices, model
from trainingrun_workers.errors import BadConfig


def refuse_with_gpu() -> None:
    """BadConfig where a GPU is visible: training on it would otherwise run on the CPU in silence."""
    import torch

    if torch.cuda.is_available():
        raise BadConfig(
            "GpuVisible",
            "The CPU stand-ins are not for machines with a GPU, and one is visible here: ask for GPUs in the manifest "
            "(gpusPerNode) or hide them from the pod.",
        )


def install() -> None:
    """Put the stand-ins of torch in place; before nanotron is imported."""
    refuse_with_gpu()
    devices.install()
    collectives.install()


def adapt() -> None:
    """Put the stand-ins of nanotron in place; after it is imported."""
    model.adapt()
