"""How long training stands still for a save of the torch engine, at once and in the background: `make bench-saves`.

`PYTHONPATH=tests:workers .venv/bin/python -m bench.saving`. Some minutes and up to 5 GB of memory.
"""

import argparse
import json
import re
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
from trainingrun_workers.pretrain.interval import best_interval

MARK: Final = "saving"
EVERY: Final = 8  # steps from save to save
STEPS: Final = 3 * EVERY
SHAPE: Final[dict[str, Any]] = {
    "hidden_size": 640, "intermediate_size": 1760, "num_hidden_layers": 12, "num_attention_heads": 8,
    "num_key_value_heads": 4, "vocab_size": 4096,
}  # fmt: skip
USUAL_EVERY: Final = 1000  # steps; there is no default, and this is what the error for a missing interval proposes
BETWEEN_FAILURES: Final = 5 * 86400.0  # seconds, the default of recovery.meanTimeBetweenFailures
SAVED: Final = re.compile(r"Saved step (\d+) in ([\d.]+) s; training stood still for ([\d.]+) s")
Way = tuple[int, bool]  # ranks, and whether in the background


@dataclass(frozen=True)
class Outcome:
    """What one run showed of the saves in its midst, which are neither its first nor its last."""

    stalls: tuple[float, ...]  # seconds
    writes: tuple[float, ...]  # seconds from a save's beginning until it is whole
    step: float  # seconds: the median of the steps during which nothing is written
    slowed: float | None  # the same of those during which something is, where any lies wholly in it
    size: int  # bytes of a checkpoint


def train(python: Path, ranks: int, background: bool) -> Outcome:
    """One run on a volume of its own."""
    with tempfile.TemporaryDirectory(prefix="saving-", dir=cache() / "bench", ignore_cleanup_errors=True) as root:
        run = PretrainRun(python, Path(root), ranks=ranks)
        run.config["model"]["model_config"] |= SHAPE
        run.config["model"]["init_method"]["std"] = 0.03
        run.config["tokens"]["train_steps"] = STEPS
        run.config["optimizer"]["zero_stage"] = int(ranks > 1)
        run.spec |= {"engine": "torch", "checkpoint_every": EVERY, "saves_in_background": background, "keep_last": 2}
        result = run.run()
        if result.reason != "Completed":
            raise RuntimeError(f"{ranks} ranks: {result.message}")
        saves = {int(step): (float(all_of_it), float(stall)) for step, all_of_it, stall in SAVED.findall(_log(run))}
        lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
        size = sum(one.stat().st_size for one in run.store.path(STEPS).rglob("*") if one.is_file())
    return _outcome({step: saves[step] for step in (EVERY, 2 * EVERY)}, [one["time"] for one in lines], size)


def _log(run: PretrainRun) -> str:
    return run.pods[0].log.read_text()


def _outcome(saves: Mapping[int, tuple[float, float]], times: Sequence[float], size: int) -> Outcome:
    """`times` are when each step ended, from step 1; the step after a save has the stall in it and is left out."""
    free, slowed = [], []
    for step in range(EVERY + 2, STEPS + 1):  # by then the first, of the untrained model, is whole
        began, ended = times[step - 2], times[step - 1]
        flights = [(times[at - 1], times[at - 1] + saves[at][0]) for at in saves]
        if step - 1 in saves:
            continue
        if any(start <= began and ended <= end for start, end in flights):
            slowed.append(ended - began)
        elif not any(start < ended and began < end for start, end in flights):
            free.append(ended - began)
    return Outcome(
        tuple(stall for _, stall in saves.values()), tuple(seconds for seconds, _ in saves.values()),
        statistics.median(free), statistics.median(slowed) if slowed else None, size,
    )  # fmt: skip


def report(found: Mapping[Way, Sequence[Outcome]]) -> str:
    """The table, with how it was measured."""
    rows = [
        (
            "ranks",
            "saved",
            "stands still, s",
            "until whole, s",
            "step, s",
            "step while written, s",
            "share",
            "share, auto",
        )
    ]
    for (ranks, background), outcomes in found.items():
        stalls = [one for outcome in outcomes for one in outcome.stalls]
        writes = [one for outcome in outcomes for one in outcome.writes]
        slowed = [one.slowed for one in outcomes if one.slowed is not None]
        step, stall = statistics.median(one.step for one in outcomes), statistics.median(stalls)
        rows.append((
            str(ranks), "in the background" if background else "at once",
            f"{stall:.2f} ({min(stalls):.2f}–{max(stalls):.2f})", f"{statistics.median(writes):.2f}", f"{step:.3f}",
            f"{statistics.median(slowed):.3f}" if slowed else "", f"{stall / (USUAL_EVERY * step + stall):.3%}",
            f"{stall / (best_interval(stall, BETWEEN_FAILURES) + stall):.3%}",
        ))  # fmt: skip
    first = next(iter(found.values()))
    return "\n".join((
        f"A Llama of {SHAPE['num_hidden_layers']} layers, {SHAPE['hidden_size']} wide, whose checkpoint has "
        f"{first[0].size / 1e9:.2f} GB, on CPU, {STEPS} steps of 128 tokens, saved every {EVERY} steps; medians of the "
        f"saves in the midst of each kind's runs ({len(first)}), which take turns, the least and the most in brackets. "
        f"The share is stall / ({USUAL_EVERY:,} · step + stall): of the time from save to save at the "
        "interval that is proposed where a configuration has none. With `interval: auto` it is stall / (interval + "
        f"stall), the interval being {', '.join(_intervals(found))} s by `pretrain/interval.py` for five days between "
        "failures.\n",
        table(rows),
    ))  # fmt: skip


def _intervals(found: Mapping[Way, Sequence[Outcome]]) -> list[str]:
    stalls = [statistics.median(one for outcome in outcomes for one in outcome.stalls) for outcomes in found.values()]
    return [f"{best_interval(stall, BETWEEN_FAILURES):,.0f}" for stall in stalls]


def main() -> int:
    """Measure, print and, where asked, write into the documentation."""
    options = _parser().parse_args()
    (cache() / "bench").mkdir(parents=True, exist_ok=True)
    python = interpreter("nanotron")
    ways: list[Way] = [(1, False), (1, True), (2, False), (2, True)]
    found: dict[Way, list[Outcome]] = {way: [] for way in ways}
    for turn in range(options.rounds):
        for way in ways:
            found[way].append(train(python, *way))
            print(f"round {turn + 1} of {options.rounds}, {way}: {found[way][-1]}", file=sys.stderr, flush=True)
    words = report(found)
    print(f"\n{words}", flush=True)
    if options.document:
        documented.write(MARK, words, documented.PERFORMANCE)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench-saves", description="Saves at once and in the background, by turns.")
    parser.add_argument("--rounds", type=int, default=2, help="how often each is run (2)")
    parser.add_argument("--document", action="store_true", help="write the table into docs/performance.md")
    return parser


if __name__ == "__main__":
    sys.exit(main())
