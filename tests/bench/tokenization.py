"""Tokenizing measured against the report's way: `PYTHONPATH=tests:workers .venv/bin/python -m bench.tokenization`.

Run by `make bench-tokenize`. Ends with 1 where any two outputs differ.
"""

import argparse
import dataclasses
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import documented
from bench import tables
from bench.contenders import UNITS, Contenders, Outcome, Tokenizer, rounds
from bench.corpus import Found, corpus
from engine.environment import cache, interpreter
from engine.llama_tokenizer import END_OF_TEXT, llama_tokenizer

PODS: Final = (1, 2, 4)
QUICKSTART: Final = Path(__file__).parents[2] / "examples/quickstart/data/tokenizer"
MARK: Final = "tokenization"
SCRIPT: Final = "datatrove's own steps"
STAGE: Final = "this stage"
CPUS: Final = len(os.sched_getaffinity(0))


def main() -> int:
    """Measure, print and, where asked, write into the documentation."""
    options = _parser().parse_args()
    _say(f"A text of {options.mb} MB (made once, about a minute) …")
    folder, what = corpus(options.mb)
    tokenizer = _tokenizer()
    for path in folder.glob("*.parquet"):
        path.read_bytes()  # into the page cache, for both ways
    with tempfile.TemporaryDirectory(prefix="work-", dir=cache() / "bench") as scratch:
        ways = Contenders(str(interpreter("datatrove")), folder, tokenizer, Path(scratch))
        little = dataclasses.replace(ways, corpus=corpus(0)[0])  # one document
        alone = {
            SCRIPT: ways.script,
            STAGE: partial(ways.stage, threads=CPUS),
            f"{SCRIPT}, one core": partial(on_one_core, ways.script),
            f"{STAGE}, one core": partial(on_one_core, ways.stage),
            f"{SCRIPT}, start": little.script,
            f"{STAGE}, start": partial(little.stage, threads=CPUS),
        }
        found = rounds(options.rounds, alone, _say)
        shared = rounds(options.rounds, {number: partial(ways.stage, number, UNITS) for number in PODS}, _say)
    words = _report(what, tokenizer, options.rounds, found, shared)
    print(f"\n{words}", flush=True)
    if options.document:
        documented.write(MARK, words, documented.PERFORMANCE)
    if tables.is_identical([found[name] for name in alone if "start" not in name], shared.values()):
        return 0
    _say("Not all outputs are the same: the tables tell which differ.")
    return 1


def _report(
    what: Found, tokenizer: Tokenizer, number: int, found: dict[str, list[Outcome]], shared: dict[int, list[Outcome]]
) -> str:
    script, stage, script_one, stage_one, script_start, stage_start = found.values()
    megabytes = what.text_bytes / 1e6
    hours = [tables.trillion(*one) for one in ((script_one, script_start), (stage_one, stage_start))]
    return "\n".join((
        f"The text: {what.in_words()}\n",
        f"The tokenizer: {tokenizer.name}; {stage[0].tokens:,} tokens with end-of-text. {CPUS} cores; "
        f"medians of {number} rounds in which the ways take turns, the least and the most in brackets; whole "
        "processes, from their start to their end.\n",
        f"On all {CPUS} cores, the stage as a pod that asks for as many CPUs:\n",
        tables.comparison(script, stage, megabytes),
        "On one core, the stage as a pod that asks for one CPU:\n",
        tables.comparison(script_one, stage_one, megabytes),
        f"Start-up is in these figures: over a single document datatrove's own steps take "
        f"{tables.start_up(script_start)}, this stage's pod {tables.start_up(stage_start)}. Without it, 10¹² tokens at "
        f"the rates of one core cost {hours[0]:.0f} CPU-hours with datatrove's own steps and {hours[1]:.1f} with "
        "this stage.\n",
        f"The same text as {UNITS} units, made by several pods of one CPU at the same time on the same cores:\n",
        tables.pods(shared, script[0], megabytes),
    ))  # fmt: skip


def on_one_core(way: Callable[[], Outcome]) -> Outcome:
    """A way whose processes may use a single core, as this process's children inherit it."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        return way()
    finally:
        os.sched_setaffinity(0, cores)


def _tokenizer() -> Tokenizer:
    try:
        name = "Llama-3's 128,256 ids, four bytes each, built from the file in the package llama-models 0.3.0"
        return Tokenizer(name, llama_tokenizer(), END_OF_TEXT, 128_256, 4)
    except subprocess.CalledProcessError:
        _say(
            "The package llama-models can't be downloaded: this measures with the quickstart's small tokenizer instead."
        )
        name = (
            "NOT Llama-3's but the quickstart's 4,096 ids, two bytes each, since llama-models could not be downloaded"
        )
        return Tokenizer(name, QUICKSTART, "<|end_of_text|>", 4_096, 2)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench-tokenize", description="Tokenizing, against the report's way.")
    parser.add_argument("--mb", type=int, default=200, help="10⁶ bytes of text (200)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each way runs (3)")
    parser.add_argument("--document", action="store_true", help="write the tables into docs/performance.md")
    return parser


if __name__ == "__main__":
    sys.exit(main())
