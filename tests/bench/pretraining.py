"""Pretraining by either engine, the same shape, batch and data: `make bench-pretrain`.

`PYTHONPATH=tests:workers .venv/bin/python -m bench.pretraining`. Where a GPU is visible: the shape of the report's 0.4B
model. Without one: a small shape, of which the ratio alone says anything. The engines take turns at each micro batch.
Ends with 1 where their last losses are further apart than one part in ten.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import documented
from bench.markdown import table
from engine.environment import cache, interpreter
from engine.pretrain_runs import PretrainRun

MARK: Final = "pretraining"
ENGINES: Final = ("nanotron", "torch")
CLOSE: Final = 0.1  # of so few steps, from other first weights; tests/engine compares longer runs


@dataclass(frozen=True)
class Bench:
    """What is trained."""

    shape: dict[str, Any]  # of the model, by nanotron's keys
    length: int  # of a sequence
    batch: int  # sequences a step
    micro: tuple[int, ...]  # sequences of a micro batch, one after the other
    steps: int
    warm: int  # steps that are not measured: compiling, allocation, the first read
    std: float
    rate: float  # of learning, at its peak


SMALL: Final = Bench(
    {
        "hidden_size": 128, "intermediate_size": 352, "num_hidden_layers": 3, "num_attention_heads": 4,
        "num_key_value_heads": 2, "vocab_size": 4096, "max_position_embeddings": 256,
    },
    length=256, batch=8, micro=(1, 4, 8), steps=40, warm=10, std=0.03, rate=3e-3,
)  # fmt: skip
REPORTS: Final = Bench(
    {
        "hidden_size": 960, "intermediate_size": 2560, "num_hidden_layers": 32, "num_attention_heads": 15,
        "num_key_value_heads": 5, "vocab_size": 128256, "max_position_embeddings": 4096,
    },
    length=4096, batch=16, micro=(2, 4, 8, 16), steps=30, warm=10, std=0.03, rate=1e-3,
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What an engine did in one run."""

    step_seconds: float  # the median step's
    tokens_per_second: float
    loss: float  # the last step's
    memory: float  # bytes at most: of the GPU, or of the process
    mfu: float | None  # of the last line, full attention; None without a GPU whose peak is known


def has_gpu(python: Path) -> bool:
    """Whether the engines' torch sees a GPU."""
    asked = [str(python), "-c", "import torch; raise SystemExit(not torch.cuda.is_available())"]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


def train(bench: Bench, engine: str, micro: int, python: Path, gpu: bool) -> Outcome:
    """One run of an engine on a volume of its own; RuntimeError with its last words where it fails."""
    with tempfile.TemporaryDirectory(prefix="pretrain-", dir=cache() / "bench", ignore_cleanup_errors=True) as root:
        run = PretrainRun(python, Path(root))
        run.config["model"]["model_config"] |= bench.shape
        run.config["model"]["init_method"]["std"] = bench.std
        run.config["tokens"] |= {
            "sequence_length": bench.length, "train_steps": bench.steps, "micro_batch_size": micro,
            "batch_accumulation_per_replica": bench.batch // micro,
        }  # fmt: skip
        run.config["optimizer"]["learning_rate_scheduler"] |= {
            "learning_rate": bench.rate, "lr_warmup_steps": bench.warm, "lr_decay_starting_step": bench.warm,
            "lr_decay_steps": bench.steps - bench.warm,
        }  # fmt: skip
        run.spec |= {
            "engine": engine, "checkpoint_every": bench.steps, "tokens_per_step": bench.batch * bench.length,
            "cpu": not gpu, "hang_timeout": 600.0,
        }  # fmt: skip
        result = run.run()
        if result.reason != "Completed":
            raise RuntimeError(f"{engine}, micro batch {micro}: {result.message}")
        lines = run.lines()
    return outcome(bench, lines)


def outcome(bench: Bench, lines: Sequence[Mapping[str, Any]]) -> Outcome:
    """What the lines of a curve say of a run."""
    times = [one["time"] for one in lines]
    first = bench.warm
    step = statistics.median(after - before for before, after in zip(times[first:], times[first + 1 :], strict=False))
    last = lines[-1]
    memory = max(float(one.get("memoryAllocated") or one.get("memoryResident") or 0.0) for one in lines)
    return Outcome(step, bench.batch * bench.length / step, last["loss"], memory, last.get("mfu"))


def report(bench: Bench, found: Mapping[tuple[str, int], Sequence[Outcome]], gpu: bool) -> str:
    """The table, with how it was measured."""
    rows = [("micro batch", "engine", "step, s", "tokens/s", "MFU", "memory, MiB", "last loss")]
    for micro in bench.micro:
        for engine in ENGINES:
            rows.append(_row(micro, engine, found[engine, micro]))
        theirs, ours = (statistics.median(one.step_seconds for one in found[name, micro]) for name in ENGINES)
        rows.append((str(micro), "nanotron / torch", f"{theirs / ours:.2f}×", "", "", "", ""))
    shape, rounds = bench.shape, len(found[ENGINES[0], bench.micro[0]])
    where = "one rank on a GPU" if gpu else "one rank on CPU; the part for a GPU was not run, since none was in reach"
    return "\n".join((
        f"A Llama of {shape['num_hidden_layers']} layers, {shape['hidden_size']} wide, {shape['vocab_size']:,} ids, "
        f"{where}. bfloat16, {bench.steps} steps of {bench.batch} sequences of {bench.length:,}; medians of the steps "
        f"after the {bench.warm}th and of {rounds} rounds in which the engines take turns, the least and the most in "
        "brackets. MFU by nanotron's counting.\n",
        table(rows),
    ))  # fmt: skip


def _row(micro: int, engine: str, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    steps = [one.step_seconds for one in outcomes]
    rate = statistics.median(one.tokens_per_second for one in outcomes)
    shares = [one.mfu for one in outcomes if one.mfu is not None]
    return (
        str(micro), engine, f"{statistics.median(steps):.3f} ({min(steps):.3f}–{max(steps):.3f})", f"{rate:,.0f}",
        f"{statistics.median(shares):.1%}" if shares else "–", f"{max(one.memory for one in outcomes) / 2**20:,.0f}",
        f"{outcomes[0].loss:.4f}",
    )  # fmt: skip


def main() -> int:
    """Measure, print and, where asked, write into the documentation."""
    options = _parser().parse_args()
    (cache() / "bench").mkdir(parents=True, exist_ok=True)
    python = interpreter("nanotron")
    gpu = has_gpu(python)
    bench = REPORTS if gpu else SMALL
    found: dict[tuple[str, int], list[Outcome]] = {(engine, micro): [] for micro in bench.micro for engine in ENGINES}
    for turn in range(options.rounds):
        for engine, micro in [(engine, micro) for micro in bench.micro for engine in ENGINES]:
            found[engine, micro].append(train(bench, engine, micro, python, gpu))
            said = f"round {turn + 1} of {options.rounds}, {engine}, micro batch {micro}: {found[engine, micro][-1]}"
            print(said, file=sys.stderr, flush=True)
    words = report(bench, found, gpu)
    print(f"\n{words}", flush=True)
    if options.document:
        documented.write(MARK, words + "\n", documented.PERFORMANCE)
    pairs = [(found["nanotron", micro][0].loss, found["torch", micro][0].loss) for micro in bench.micro]
    return 0 if all(abs(theirs - ours) <= CLOSE * theirs for theirs, ours in pairs) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench-pretrain", description="Both engines, by turns.")
    parser.add_argument("--rounds", type=int, default=3, help="how often each engine runs (3)")
    parser.add_argument("--document", action="store_true", help="write the table into docs/performance.md")
    return parser


if __name__ == "__main__":
    sys.exit(main())
