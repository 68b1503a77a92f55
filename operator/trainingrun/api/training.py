"""How models are trained: the pretrain stage, the post-training stages and what they share."""

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from trainingrun.api.base import Duration, Model, Quantity
from trainingrun.api.custom_engine import Custom
from trainingrun.api.data import Placement

PREFLIGHT_TIMEOUT_PATTERN: Final = r"^[1-9][0-9]{0,4}(s|m|h)$"  # none of nothing, by which no attempt would begin


class Network(Model):
    """How the pods of a gang reach each other."""

    profile: Literal["tcp", "infiniband", "roce"] = "tcp"
    """Kind of network; sets the environment that NCCL needs."""
    socket_interfaces: Annotated[list[str], Field(max_length=8)] = []
    """Interfaces for sockets: by the beginnings of their names or as =NAME for NCCL on GPUs, by whole names for gloo on
    CPU; by default they are found."""
    nccl: Annotated[dict[str, Annotated[str, Field(max_length=1024)]], Field(max_length=64)] = {}
    """Variables of NCCL without their NCCL_, for example IB_HCA: mlx5 or DEBUG: INFO; they win over the profile's."""
    resources: dict[str, int] = {}
    """Device-plugin resources a pod gets in addition, for example rdma/hca: 1."""


class Checkpoints(Model):
    """When checkpoints are written and which are kept."""

    every: Annotated[int, Field(ge=1)] | None = None
    """Steps between checkpoints; the engine's own configuration decides where it is left out."""
    keep_last: Annotated[int, Field(ge=1, le=1000)] = 3
    """Newest checkpoints that are kept."""
    keep_every: Annotated[int, Field(ge=1)] | None = None
    """Checkpoints at multiples of this step are kept as well."""
    keep_best: Annotated[int, Field(ge=1, le=100)] | None = None
    """Evaluated checkpoints with the best mean over all tasks that are kept as well, of those that the status lists.
    A task's main score counts negative where less of it is better, as with bits_per_byte and perplexities."""
    interval: Literal["auto"] | None = None
    """auto: checkpoints are written as often as loses least, by how long a save is seen to take and by
    recovery.meanTimeBetweenFailures (Young and Daly); evaluated steps and the last are always written."""
    background: bool = True
    """Whether the torch engine trains on while it writes one, from a copy in the host's memory; nanotron never does."""


class Recovery(Model):
    """What happens when something dies."""

    max_restarts: Annotated[int, Field(ge=0, le=10000)] = 50
    """Restarts after infrastructure failures; preemptions are not counted."""
    backoff: Duration = "10s"
    """Wait before the first restart after a failure; doubled with each, up to five minutes."""
    hang_timeout: Duration = "10m"
    """Time without a step after which the gang is restarted."""
    grace_period: Duration = "2m"
    """Time that pods get to save when they are told to stop."""
    scheduling_timeout: Duration = "15m"
    """Time after which a gang that the scheduler has found no room for gives back what it holds, to try again later."""
    mean_time_between_failures: Duration = "5d"
    """Time between two failures of the whole gang that pretrain.checkpoints.interval auto reckons with."""


class Gang(Placement):
    """Pods that train together."""

    nodes: Annotated[int, Field(ge=1, le=4096)] = 1
    """Pods of the gang, each on a node."""
    gpus_per_node: Annotated[int, Field(ge=0, le=64)] = 8
    """GPUs and processes a pod; 0 trains on CPU with one process a pod, for tests."""
    gpu_resource: Annotated[str, Field(max_length=128)] = "nvidia.com/gpu"
    """Name of the GPU resource of the nodes."""
    network: Network = Network()
    """How the pods reach each other."""
    recovery: Recovery = Recovery()
    """What happens when something dies."""


class BadLoss(Model):
    """What happens when the loss is no number, or rises too far."""

    policy: Literal["stop", "skip"] = "stop"
    """stop fails the stage; skip goes back to an earlier checkpoint and leaves out the data in between."""
    spike: Annotated[float, Field(gt=1.0)] | None = None
    """A loss above this multiple of the median of the last hundred counts as bad; none does where it is left out."""
    max_skips: Annotated[int, Field(ge=1, le=32)] = 3
    """Times that data are left out before the stage fails after all."""


class Preflight(Model):
    """What is measured of the gang before each attempt, and what it must come to at least."""

    enabled: bool = True
    """Whether the gang is measured before it trains."""
    matmul_tflops: Annotated[float, Field(gt=0.0)] | None = None
    """Least rate of a matrix product on each GPU, in TFLOP/s."""
    all_reduce_gbs: Annotated[float, Field(gt=0.0)] | None = None
    """Least bus bandwidth of an all-reduce of the whole gang, in GB/s."""
    volume_mbs: Annotated[float, Field(gt=0.0)] | None = None
    """Least rate of writing and reading a small file on the volume, of each node, in MB/s."""
    shm_free: Quantity | None = None
    """Least room in /dev/shm of each pod."""
    timeout: Annotated[str, Field(pattern=PREFLIGHT_TIMEOUT_PATTERN, max_length=32)] = "5m"
    """Time after which a pre-flight that has not come to its end is given up, in whole seconds, minutes or hours."""


class Pretrain(Gang):
    """Pretraining of the base model: a PyTorchJob."""

    engine: Literal["nanotron", "torch", "custom"] = "nanotron"
    """Which engine trains: nanotron 0.4, torch alone by the same configuration, or one of your own, as custom says."""
    custom: Custom | None = None
    """What engine custom runs, and the sizes of its training."""
    checkpoints: Checkpoints = Checkpoints()
    """When checkpoints are written and which are kept."""
    bad_loss: BadLoss = BadLoss()
    """What happens when the loss is no number, or rises too far."""
    gpu_memory: Quantity | None = None
    """Memory of each GPU, for example 80Gi; where it is given, what does not fit is refused before it starts."""
    preflight: Preflight = Preflight()
    """What is measured of the gang before each attempt."""
    config: dict[str, Any]
    """The engine's own configuration under its own names; a nanotron YAML can be pasted. A custom engine gets it
    as it is."""


class Tuning(Gang):
    """A stage that goes on training a model with Axolotl: a PyTorchJob."""

    prepare: Placement = Placement()
    """The Job that checks, tokenizes and packs the data before the GPUs are taken; none where gpusPerNode is 0."""
    config: dict[str, Any]
    """Axolotl's own configuration under its own names; an Axolotl YAML can be pasted."""


class Sft(Tuning):
    """Supervised fine-tuning: a PyTorchJob."""


class Dpo(Tuning):
    """Training on preferences, by direct preference optimization: a PyTorchJob."""


class Cpt(Tuning):
    """Continued pretraining on plain text, at the context length that sequence_len says: a PyTorchJob."""
