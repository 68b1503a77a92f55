"""What a gang measures of itself between two lines of the curve: speed, use of the GPUs, memory, waits, spread."""

import resource
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch

from trainingrun_workers.contract import PretrainSpec
from trainingrun_workers.pretrain import flops
from trainingrun_workers.pretrain.agreement import Agreement
from trainingrun_workers.pretrain.waits import Waits

TERA: Final = 1e12
KIB: Final = 1024


@dataclass(frozen=True)
class RankTimes:
    """What one rank has measured of an interval."""

    step: float  # seconds of a step, on average
    own: float  # of them not spent waiting for others: reading data, computing, and all else that is its own
    data: float  # of them until its next batch was there
    memory: float  # bytes at most: allocated by torch on a GPU, without one the process' own
    reserved: float  # bytes at most that torch has taken from the GPU; 0 without one


class Meter:
    """Measures on each rank, from `start` to `read`; reading is a collective, and the only time that a device waits."""

    def __init__(self, spec: PretrainSpec, agreement: Agreement, model: Any) -> None:
        self._cpu, self._agreement = spec.cpu, agreement
        tokens, shape = spec.config["tokens"], spec.config["model"]["model_config"]
        self._cost = flops.TokenCost.of(shape, tokens["sequence_length"])
        self._peak = None if spec.cpu else flops.peak(torch.cuda.get_device_name())
        self._waits = Waits(spec.cpu)
        self._waits.watch(model)
        self._stopped: Callable[[], tuple[float, float]] | None = None
        self._steps, self._data = 0, 0.0

    def start(self) -> None:
        """Begin an interval."""
        self._steps, self._data, self._stopped = 0, 0.0, None
        self._waits.start()

    def batches(self, get: Callable[[int], Iterator[dict[str, Any]]], step: int) -> Iterator[dict[str, Any]]:
        """A step's batches, with the time that it took until they were there counted."""
        begun = time.perf_counter()
        found = get(step)
        if self._stopped is None:
            self._data += time.perf_counter() - begun
        return found

    def stepped(self) -> None:
        """Count a step that is done."""
        if self._stopped is None:
            self._steps += 1
            if self._waits.full:
                self._stopped = self._waits.stop()

    def read(self) -> tuple[RankTimes, ...]:
        """What every rank has measured since `start`, by rank; none where that was less than a step."""
        seconds, waited = (self._stopped or self._waits.stop())()
        steps = max(self._steps, 1)
        own = max(seconds - waited, 0.0)
        table = self._agreement.table((seconds / steps, own / steps, self._data / steps, *self._memory()))
        return tuple(RankTimes(*row) for row in table) if self._steps else ()

    def figures(self, times: Sequence[RankTimes], tokens_per_second: float) -> dict[str, float]:
        """What is told of an interval, by the names of `contract.MEASURED`; without what is not known here."""
        return figures(times, tokens_per_second, self._cost, self._peak, self._cpu)

    def _memory(self) -> tuple[float, float]:
        if self._cpu:
            return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB), 0.0
        return float(torch.cuda.max_memory_allocated()), float(torch.cuda.max_memory_reserved())


def figures(
    times: Sequence[RankTimes], tokens_per_second: float, cost: flops.TokenCost, peak: float | None, cpu: bool
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
    told["data_wait"] = statistics.fmean(one.data / one.step for one in times)
    told["communication_wait"] = statistics.fmean(1 - one.own / one.step for one in times)
    told["step_spread"] = max(one.own for one in times) / statistics.median(one.own for one in times)
    return told
