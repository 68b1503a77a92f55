"""Pretraining by either engine, the same shape, batch and data: `make bench-pretrain`.

`PYTHONPATH=tests:workers .venv/bin/python -m bench.pretraining`. On a machine without a GPU: a small shape, of which
the ratio alone says anything. Ends with 1 where the engines' losses are further apart than two parts in a hundred.
"""

import argparse
import json
import statistics
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
STEPS: Final = 40
WARM: Final = 10  # steps that are not measured: allocation, the first read
CLOSE: Final = 0.02
LENGTH: Final = 256
SHAPE: Final[dict[str, Any]] = {
    "hidden_size": 128, "intermediate_size": 352, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "vocab_size": 4096, "max_position_embeddings": LENGTH,
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What an engine did in one run."""

    step_seconds: float  # the median step's
    tokens_per_second: float
    loss: float  # the last step's


def train(engine: str, python: Path) -> Outcome:
    """One run of an engine on a volume of its own."""
    with tempfile.TemporaryDirectory(prefix="pretrain-", dir=cache() / "bench", ignore_cleanup_errors=True) as root:
        run = PretrainRun(python, Path(root))
        run.config["model"]["model_config"] |= SHAPE
        run.config["model"]["init_method"]["std"] = 0.03
        batch = run.config["tokens"]["micro_batch_size"] * run.config["tokens"]["batch_accumulation_per_replica"]
        run.config["tokens"] |= {"sequence_length": LENGTH, "train_steps": STEPS}
        run.spec |= {"engine": engine, "checkpoint_every": STEPS, "tokens_per_step": batch * LENGTH}
        result = run.run()
        if result.reason != "Completed":
            raise RuntimeError(f"{engine}: {result.message}")
        lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    times = [one["time"] for one in lines]
    step = statistics.median(after - before for before, after in zip(times[WARM:], times[WARM + 1 :], strict=False))
    return Outcome(step, batch * LENGTH / step, lines[-1]["loss"])


def report(found: Mapping[str, Sequence[Outcome]]) -> str:
    """The table, with how it was measured."""
    rows = [("engine", "step, s", "tokens/s", "last loss")]
    for name, outcomes in found.items():
        steps = [one.step_seconds for one in outcomes]
        rows.append((
            name, f"{statistics.median(steps):.3f} ({min(steps):.3f}–{max(steps):.3f})",
            f"{statistics.median(one.tokens_per_second for one in outcomes):,.0f}", f"{outcomes[0].loss:.4f}",
        ))  # fmt: skip
    theirs, ours = (statistics.median(one.step_seconds for one in found[name]) for name in ENGINES)
    rows.append(("nanotron / torch", f"{theirs / ours:.2f}×", "", ""))
    return "\n".join((
        f"A Llama of {SHAPE['num_hidden_layers']} layers, {SHAPE['hidden_size']} wide, {SHAPE['vocab_size']:,} ids, "
        f"one rank on CPU, bfloat16, {STEPS} steps of 8 sequences of {LENGTH}; medians of the steps after the "
        f"{WARM}th and of {len(found[ENGINES[0]])} rounds in which the engines take turns, the least and the most in "
        "brackets. This is on CPU alone: there is no part of it for a GPU yet.\n",
        table(rows),
    ))  # fmt: skip


def main() -> int:
    """Measure, print and, where asked, write into the documentation."""
    options = _parser().parse_args()
    (cache() / "bench").mkdir(parents=True, exist_ok=True)
    python = interpreter("nanotron")
    found: dict[str, list[Outcome]] = {engine: [] for engine in ENGINES}
    for turn in range(options.rounds):
        for engine in ENGINES:
            found[engine].append(train(engine, python))
            print(f"round {turn + 1} of {options.rounds}, {engine}: {found[engine][-1]}", file=sys.stderr, flush=True)
    words = report(found)
    print(f"\n{words}", flush=True)
    if options.document:
        documented.write(MARK, words, documented.PERFORMANCE)
    theirs, ours = (found[name][0].loss for name in ENGINES)
    return 0 if abs(theirs - ours) <= CLOSE * theirs else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench-pretrain", description="Both engines, by turns.")
    parser.add_argument("--rounds", type=int, default=3, help="how often each engine runs (3)")
    parser.add_argument("--document", action="store_true", help="write the table into docs/performance.md")
    return parser


if __name__ == "__main__":
    sys.exit(main())
