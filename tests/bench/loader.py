"""How fast a training process gets its batches from the page cache: `python -m bench.loader`; `make bench-loader`.

For the nanotron image's interpreter. Reads token files of random ids, of three sources mixed 40/40/20, in the run's own
order, by the very code that a training process reads them with; and the same files from their beginning to their end.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import documented
from bench import markdown
from engine.environment import cache
from trainingrun_workers.contract import DataSource, DataStage, PretrainSpec
from trainingrun_workers.pretrain.rank import Data
from trainingrun_workers.volume import Volume, mark_complete

SEQUENCE: Final = 4096  # the report's
TOKEN_BYTES: Final = 4
VOCABULARY: Final = 128_256
BATCH: Final = 64  # samples a step of this process
MICRO_BATCH: Final = 4
FILES: Final = 4  # of a source
WEIGHTS: Final = {"web": 0.4, "code": 0.4, "books": 0.2}
MARK: Final = "loader"
Rates = dict[str, list[tuple[float, float]]]  # MB of tokens by wall second and by CPU second, by the way's name
SPEC: Final = PretrainSpec(
    config={"tokens": {"sequence_length": SEQUENCE}},
    data=(DataStage("all", 1, 6, tuple(DataSource(name, f"tokens/{name}", one) for name, one in WEIGHTS.items())),),
    token_bytes=TOKEN_BYTES, total_steps=1, tokens_per_step=BATCH * SEQUENCE, nodes=1, processes_per_node=1, cpu=True,
    checkpoint_every=1, keep_last=1, keep_every=None, evaluate_every=None, converted=None, hang_timeout=60,
)  # fmt: skip


def main() -> None:
    """Measure, print and, where asked, write into the documentation."""
    options = _parser().parse_args()
    (cache() / "bench").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="loader-", dir=cache() / "bench") as folder:
        volume = Volume(Path(folder))
        files = _fill(volume, options.mb * 1_000_000)
        data = Data(SPEC, volume)
        steps = options.mb * 1_000_000 // (BATCH * SEQUENCE * TOKEN_BYTES)
        batches = _batches(data)
        ways: dict[str, Callable[[], int]] = {
            "the files from beginning to end, blocks of 1 MiB": lambda: sum(map(_read, files)),
            "windows in the run's order": lambda: sum(_windows(data, step) for step in range(steps)),
            "batches as nanotron takes them, checked, with masks": lambda: sum(map(batches, range(1, steps + 1))),
        }
        rates = _rates(ways, options.rounds)
    text = _report(rates, options.mb, options.rounds)
    print(text, flush=True)
    if options.document:
        documented.write(MARK, text, documented.PERFORMANCE)


def _fill(volume: Volume, size: int) -> list[Path]:
    import numpy as np

    draw, files = np.random.default_rng(6), []
    for name, weight in WEIGHTS.items():
        folder = volume.path(f"tokens/{name}")
        folder.mkdir(parents=True)
        tokens = int(size * weight) // TOKEN_BYTES // FILES
        for number in range(FILES):
            files.append(folder / f"{number:05d}.ds")
            draw.integers(VOCABULARY, size=tokens, dtype=np.uint32).tofile(files[-1])
        mark_complete(folder, {"tokens": tokens * FILES})
    return files


def _read(path: Path) -> int:
    buffer, total = bytearray(1 << 20), 0
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            total += count
    return total


def _windows(data: Data, step: int) -> int:
    return sum(len(window) - TOKEN_BYTES for window in data.windows(step * BATCH, (step + 1) * BATCH))


def _batches(data: Data) -> Callable[[int], int]:
    """The bytes of tokens in the batch of a step, which is made as a training process makes it."""
    os.environ |= {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}  # the latter as the stage's launcher sets it
    import torch

    from trainingrun_workers import cpu_stand_ins
    from trainingrun_workers.nanotron_engine import importing

    cpu_stand_ins.install()
    importing.prepare()
    from trainingrun_workers.nanotron_engine.batches import Batches

    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    alone = torch.distributed.new_group([0])
    shape: Any = SimpleNamespace(
        parallel_context=SimpleNamespace(pp_pg=alone, dp_pg=alone),
        unwrapped_model=SimpleNamespace(input_pp_rank=0, output_pp_rank=0),
        model_config=SimpleNamespace(vocab_size=VOCABULARY),
        micro_batch_size=MICRO_BATCH, n_micro_batches_per_batch=BATCH // MICRO_BATCH, global_batch_size=BATCH,
        sequence_length=SEQUENCE,
    )  # fmt: skip
    made = Batches(shape, data.windows, TOKEN_BYTES, "cpu")

    def of_step(step: int) -> int:
        return sum(one["input_ids"].numel() * TOKEN_BYTES for one in made.of_step(step))

    return of_step


def _rates(ways: dict[str, Callable[[], int]], rounds: int) -> Rates:
    """The rates of each way in each round, in which they take turns."""
    rates: Rates = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            wall, cpu = time.monotonic(), time.process_time()
            megabytes = way() / 1e6
            rates[name].append((megabytes / (time.monotonic() - wall), megabytes / (time.process_time() - cpu)))
    return rates


def _report(rates: Rates, megabytes: int, rounds: int) -> str:
    rows = [("one process reads", "MB/s", "least–most", "MB/CPU-s")]
    for name, found in rates.items():
        walls, cpus = ([one[place] for one in found] for place in (0, 1))
        spread = f"{min(walls):,.0f}–{max(walls):,.0f}"
        rows.append((name, f"{statistics.median(walls):,.0f}", spread, f"{statistics.median(cpus):,.0f}"))
    return (
        f"{megabytes} MB of ids in the page cache, {TOKEN_BYTES} bytes each, {SEQUENCE:,} a sequence, {len(WEIGHTS)} "
        f"sources mixed {'/'.join(f'{100 * one:.0f}' for one in WEIGHTS.values())}, {BATCH} sequences a step; medians "
        f"of {rounds} rounds.\n\n{markdown.table(rows)}"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench-loader", description="Reading tokens as training does.")
    parser.add_argument("--mb", type=int, default=1000, help="10⁶ bytes of token files (1000)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each way reads them (3)")
    parser.add_argument("--document", action="store_true", help="write the table into docs/performance.md")
    return parser


if __name__ == "__main__":
    main()
