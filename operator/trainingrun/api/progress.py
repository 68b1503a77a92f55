"""How far a stage is, and what a gang measures of itself, as the status tells it."""

from typing import Annotated

from pydantic import Field

from trainingrun.api.base import Model


class Measured(Model):
    """What a gang that pretrains measures of itself, of the newest stretch between two lines of its curve.

    A rank is one GPU or, without GPUs, one process. Shares are of the time of a step and the mean over all ranks.
    """

    tokens_per_second_per_rank: float | None = None
    """Tokens a second of each rank."""
    teraflops_per_rank: float | None = None
    """10^12 FLOP/s of the model on each rank, counted as nanotron does, with full attention."""
    mfu: float | None = None
    """Model FLOPs utilisation: that as a share of the card's dense bfloat16 peak, where it is known."""
    mfu_causal: float | None = None
    """The same with half of attention, which is what causal kernels compute."""
    memory_allocated: float | None = None
    """Bytes of the GPU's memory that tensors took at most, of the rank with the most."""
    memory_reserved: float | None = None
    """Bytes of the GPU's memory that torch took at most, of the rank with the most."""
    memory_resident: float | None = None
    """Bytes of memory of the process at most, of the rank with the most, without GPUs."""
    data_wait: float | None = None
    """Share in which ranks wait for their next batch."""
    communication_wait: float | None = None
    """Share in which ranks have nothing to do but wait for other ranks."""
    step_spread: float | None = None
    """How many times as long as the median rank the slowest one takes for its own work."""


class Straggler(Model):
    """A rank that holds the others up."""

    rank: Annotated[int, Field(ge=0, lt=2**31)]
    """Its number."""
    node: Annotated[str, Field(max_length=253)]
    """The node that it runs on."""
    times: Annotated[float, Field(ge=0.0, lt=1e9)]
    """How many times as long as the others it takes for its own work, when it was named."""
    since: Annotated[int, Field(ge=0, lt=2**53)]
    """The step since which it does."""


class PreflightResult(Model):
    """What was measured of a gang before an attempt."""

    attempt: int
    """Number of the attempt."""
    at: str
    """When it was told."""
    seconds: float | None = None
    """How long it took."""
    ranks: int | None = None
    """How many ranks were measured."""
    measured: Annotated[str, Field(max_length=512)]
    """A line with each measure's lowest value and its median over the ranks."""
    lowest: Annotated[dict[str, float], Field(max_length=16)] = {}
    """The lowest values by the names of the measures, as spec.pretrain.preflight has them, and edgeGbs of links."""
    median: Annotated[dict[str, float], Field(max_length=16)] = {}
    """Their medians."""
    found: Annotated[str, Field(max_length=1024)] | None = None
    """What was wrong, as a sentence; nothing where all was well."""


class Progress(Model):
    """How far a stage is, from its newest report."""

    step: int = 0
    """Units done."""
    total: int = 0
    """Units in all."""
    unit: str = "steps"
    """What is counted."""
    loss: float | None = None
    """Newest training loss."""
    tokens: int | None = None
    """Tokens done."""
    tokens_per_second: float | None = None
    """Tokens a second, of all pods."""
    text_bytes_per_second: float | None = None
    """Bytes of text a second, of all pods that tokenize."""
    eta_seconds: int | None = None
    """Seconds until the stage is done, as the worker reckons."""
    checkpoint: int | None = None
    """Step of the newest complete checkpoint."""
    activity: str | None = None
    """What the worker is doing, where it is not stepping."""
    counts: dict[str, int] = {}
    """Of a tokenize stage, what was made so far and what was left out, of all sources and of each: documents, or
    SOURCE.documents; SOURCE.complete is 1 once that source is done. What is nought is not told."""
    notes: Annotated[list[str], Field(max_length=8)] = []
    """What the worker has noticed, a sentence each."""
    measured: Measured | None = None
    """What the gang measures of itself."""
    stragglers: Annotated[list[Straggler], Field(max_length=3)] = []
    """Ranks that hold the others up now."""
    profile: str | None = None
    """Name of the newest profile that was asked for and is over, by trainingrun profile."""
    profile_error: str | None = None
    """Why that profile could not be made."""
    reported_at: str | None = None
    """When the report was made."""
    advanced_at: str | None = None
    """When the step changed last."""
    checkpoint_at: str | None = None
    """When the newest complete checkpoint was first told of."""
