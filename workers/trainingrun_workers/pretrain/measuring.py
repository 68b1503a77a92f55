"""What a gang measures of itself between two lines of the curve: speed, use of the GPUs, memory, waits, spread."""

import resource
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import torch

from trainingrun_workers.contract import PretrainSpec
from trainingrun_workers.pretrain import flops
from trainingrun_workers.pretrain.agreement import Agreement
from trainingrun_workers.pretrain.figures import RankTimes, figures
from trainingrun_workers.pretrain.waits import Waits

KIB: Final = 1024


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
