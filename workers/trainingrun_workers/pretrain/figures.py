"""The figures that are told of a gang, from what each of its ranks has measured. Pure."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from trainingrun_workers.pretrain.flops import TokenCost

TERA: Final = 1e12


@dataclass(frozen=True)
class RankTimes:
    """What one rank has measured of an interval."""

    step: float  # seconds of a step, on average
    own: float  # of them not spent waiting for others: reading data, computing, and all else that is its own
    data: float  # of them until its next batch was there
    memory: float  # bytes at most: allocated by torch on a GPU, without one the process' own
    reserved: float  # bytes at most that torch has taken from the GPU; 0 without one


def figures(
    times: Sequence[RankTimes], tokens_per_second: float, cost: TokenCost, peak: float | None, cpu: bool
) -> dict[str, float]:
    """The figures of an interval: shares are of a step's time and the mean over ranks, memory is the most of any."""
    if not times:
        return {}
    each = tokens_per_second / len(times)
    told = {"tokens_per_second_per_rank": each, "teraflops_per_rank": each * cost.full / TERA}
    if peak is not None:
        told |= {"mfu": each * cost.full / peak, "mfu_causal": each * cost.causal / peak}
    memory = max(one.memory for one in times)
    told |= {"memory_resident": memory} if cpu else {"memory_allocated": memory}
    if not cpu:
        told["memory_reserved"] = max(one.reserved for one in times)
    # A step of a tiny model may be over before a clock has moved on, or be all waiting.
    if all(one.step > 0 for one in times):
        told["data_wait"] = statistics.fmean(one.data / one.step for one in times)
        told["communication_wait"] = statistics.fmean(1 - one.own / one.step for one in times)
    middle = statistics.median(one.own for one in times)
    if middle > 0:
        told["step_spread"] = max(one.own for one in times) / middle
    return told
