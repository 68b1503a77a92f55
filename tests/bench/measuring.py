"""What it costs a gang to measure itself: `make bench-measuring`.

Two ranks of the torch engine on this machine's CPU take turns in one process group: ten steps that are measured, as
between two lines of a curve, and ten that are not.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

ROUNDS: Final = 150
STEPS: Final = 10  # of a round, each way
RANKS: Final = 2


def main() -> int:
    """Start the ranks under torchrun, in the engine's environment."""
    from engine.environment import interpreter

    command = [
        str(interpreter("nanotron")), "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={RANKS}",
        "-m", "bench.measuring", "rank",
    ]  # fmt: skip
    root = Path(__file__).parents[2]
    path = os.pathsep.join(str(root / one) for one in ("tests", "workers"))
    return subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}, check=False
    ).returncode


def rank() -> None:
    """One rank; the first prints what came out."""
    import torch.distributed as distributed

    from trainingrun_workers.pretrain.agreement import Agreement
    from trainingrun_workers.pretrain.measuring import Meter
    from trainingrun_workers.torch_engine.batches import Batches
    from trainingrun_workers.torch_engine.trainer import Trainer

    distributed.init_process_group("gloo")
    spec = _spec()
    trainer, agreement = Trainer(spec, None), Agreement()
    batches = Batches(spec, _windows, "cpu")
    meter = Meter(spec, agreement, trainer.model)
    plain, measured, reads = [], [], []
    for _ in range(ROUNDS):
        plain.append(_timed(lambda: _plain(trainer, batches, agreement)))
        measured.append(_timed(lambda: reads.append(_measured(trainer, batches, agreement, meter))))
    if agreement.rank == 0:
        each = (1e6 * (one - two) / STEPS for one, two in zip(measured, plain, strict=True))
        low, middle, high = statistics.quantiles(each, n=4)  # µs
        step = 1e6 * statistics.median(plain) / STEPS
        print(
            f"{RANKS} ranks on CPU, {ROUNDS} rounds of {STEPS} steps each way, by turns: a step takes "
            f"{step / 1000:.2f} ms unmeasured and {middle:+.0f} µs measured ({middle / step:+.1%}; half of the rounds "
            f"between {low:+.0f} and {high:+.0f} µs), a line of the curve {1000 * statistics.median(reads):.2f} ms, "
            "which is in it."
        )


def _plain(trainer: Any, batches: Any, agreement: Any) -> None:
    for _ in range(STEPS):
        trainer.advance(batches.of_step(trainer.iteration_step + 1))
        agreement.any(False)


def _measured(trainer: Any, batches: Any, agreement: Any, meter: Any) -> float:
    meter.start()
    for _ in range(STEPS):
        trainer.advance(meter.batches(batches.of_step, trainer.iteration_step + 1))
        meter.stepped()
        agreement.any(False)
    return _timed(lambda: meter.figures(meter.read(), 1.0))


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _spec() -> Any:
    from engine.pretrain_runs import PretrainRun

    with tempfile.TemporaryDirectory() as folder:
        run = PretrainRun(Path(sys.executable), Path(folder), ranks=RANKS, spec={"engine": "torch"})
        run.config["tokens"]["train_steps"] = 10**6
        return run._input().spec


def _windows(first: int, end: int) -> Iterable[bytes]:
    return (bytes(34) for _ in range(first, end))  # sixteen tokens and one, of two bytes


if __name__ == "__main__":
    if sys.argv[1:] == ["rank"]:
        rank()
    else:
        sys.exit(main())
