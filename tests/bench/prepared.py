"""What a gang does with its data before its first step, prepared and not: `python -m bench.prepared`.

`make bench-prepare`, for the Axolotl image's interpreter. Runs the code by which Axolotl counts steps and gets its
first batch, and TRL its tokens, on data of many rows without a model. Ends with 1 where the ways differ in a batch.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import documented
from bench.markdown import table
from engine.environment import cache
from engine.stage_runs import EXAMPLE

LENGTH: Final = 4096
EPOCHS: Final = 3
SEED: Final = 42
CPUS: Final = len(os.sched_getaffinity(0))
MARK: Final = "prepared"
NUMBERS: Final[dict[str, Any]] = {
    "sample_packing_group_size": 100_000, "sample_packing_bin_size": 200, "sample_packing_sequentially": False,
    "dataset_num_proc": CPUS, "multipack_real_batches": False, "sample_packing_mp_start_method": None,
}  # fmt: skip
Figures = dict[str, tuple[float, float]]  # seconds by the clock and of CPU, by way
ITSELF: Final = "Axolotl by itself"
ONCE: Final = "this stage, nothing prepared"
READY: Final = "this stage, prepared"


def main() -> int:
    """Measure, print and, where asked, write into the documentation."""
    options = _parser().parse_args()
    os.environ |= {"HF_HUB_OFFLINE": "1", "AXOLOTL_DO_NOT_TRACK": "1", "TOKENIZERS_PARALLELISM": "false"}
    (cache() / "bench").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="prepared-", dir=cache() / "bench") as scratch:
        packing, same = conversations(options.rows, Path(scratch))
        tokens = pairs(options.pairs, Path(scratch))
    words = report(packing, options.rows, tokens, options.pairs, same)
    print(words, flush=True)
    if options.document:
        documented.write(MARK, words, documented.PERFORMANCE)
    return 0 if same else 1


def conversations(rows: int, scratch: Path) -> tuple[Figures, bool]:
    """Seconds to the first batch of packed conversations, and whether both ways of the stage come to the same ones."""
    import numpy
    from axolotl.utils.dict import DictDefault
    from axolotl.utils.samplers import multipack
    from datasets import Dataset, load_from_disk
    from torch.utils.data import RandomSampler

    from trainingrun_workers.sft.ordering import EpochShuffle
    from trainingrun_workers.sft.packing import pack_epochs, packed_once
    from trainingrun_workers.sft.packings import Packings

    drawn = numpy.clip(numpy.random.default_rng(1).lognormal(6, 0.8, rows), 16, LENGTH).astype(numpy.int64)
    Dataset.from_dict({"length": drawn}).save_to_disk(str(scratch / "rows"))
    data = load_from_disk(str(scratch / "rows"))
    config = {
        **NUMBERS, "sample_packing": True, "attn_supports_packing": True, "sequence_len": LENGTH, "seed": SEED,
        "micro_batch_size": 1, "batch_size": 32, "num_epochs": EPOCHS, "total_num_tokens": int(drawn.sum()),
        "total_supervised_tokens": int(drawn.sum()),
    }  # fmt: skip
    multipack.pack_parallel(drawn[:100].astype(numpy.int32), LENGTH, 100, 200, 1)  # which compiles it

    def ours(keeps: bool) -> AbstractContextManager[None]:
        return packed_once(SEED, Packings(scratch / "packings", keeps))

    seconds: Figures = {}
    batches: dict[str, Any] = {}
    for name, way in ((ITSELF, nullcontext()), (ONCE, ours(False)), (READY, ours(False))):
        if name == READY:
            with ours(True):
                both = SimpleNamespace(train_dataset=data, eval_dataset=None)
                pack_epochs(DictDefault(config), both, lambda epoch, epochs: None)
        order = RandomSampler(data) if name == ITSELF else EpochShuffle(rows, SEED)
        with way:
            begun = _now()
            batches[name] = _batches(DictDefault(config), data, order)
            seconds[name] = _since(begun)
        _say(f"{name}: {_shown(seconds[name])}")
    return seconds, batches[ONCE] == batches[READY]


def _batches(config: Any, data: Any, order: Any) -> list[Any]:
    """All batches of the first epoch, counted and made as Axolotl and its trainer do before the first of them."""
    from axolotl.core.trainers.base import AxolotlTrainer
    from axolotl.utils.trainer import calculate_total_num_steps

    calculate_total_num_steps(config, data)
    args = SimpleNamespace(
        **NUMBERS, per_device_train_batch_size=1, max_seq_length=LENGTH, sample_packing_efficiency=1.0
    )
    trainer: Any = SimpleNamespace(args=args, state=SimpleNamespace(train_batch_size=1))
    sampler = AxolotlTrainer._create_multipack_sampler(trainer, order, data)
    sampler.set_epoch(0)  # as the data loader does
    return list(sampler)


def pairs(number: int, scratch: Path) -> Figures:
    """Seconds that TRL's trainer is built for longer, for pairs of answers as texts and as tokens."""
    import datasets
    from transformers import AutoTokenizer

    from trainingrun_workers.sft import pair_tokens

    datasets.disable_caching()
    datasets.disable_progress_bars()
    draw = random.Random(1)
    words = (EXAMPLE.parent / "README.md").read_text().split()
    texts = {
        name: ["\n" + " ".join(draw.choices(words, k=60)) for _ in range(number)]  # which no token goes across
        for name in ("prompt", "chosen", "rejected")
    }
    tokenizer = AutoTokenizer.from_pretrained(EXAMPLE / "tokenizer")
    plain = datasets.Dataset.from_dict(texts)
    seconds: Figures = {}
    for name, made in ((ITSELF, plain), (READY, pair_tokens.tokenized(plain, tokenizer, LENGTH, CPUS))):
        made.save_to_disk(str(scratch / name))
        begun = _now()
        _built(scratch / name, tokenizer)
        seconds[name] = _since(begun)
        _say(f"{name}: {_shown(seconds[name])}")
    return seconds


def _built(folder: Path, tokenizer: Any) -> None:
    """The part of building TRL's trainer that is its data's."""
    from datasets import load_from_disk
    from trl import DPOTrainer

    from trainingrun_workers.sft import pair_tokens

    arguments = SimpleNamespace(dataset_num_proc=CPUS, max_length=LENGTH, truncation_mode="keep_start")
    with pair_tokens.taken_as_they_are():
        trainer: Any = SimpleNamespace(_tokenizer=tokenizer)
        DPOTrainer._prepare_dataset(trainer, load_from_disk(str(folder)), tokenizer, arguments, "train")


def report(packing: Figures, rows: int, tokens: Figures, number: int, same: bool) -> str:
    """The table, with how it was measured."""
    counted = [("before the first step, s (CPU-s)", *packing)]
    counted.append((f"{rows:,} conversations to be packed", *map(_shown, packing.values())))
    counted.append(
        (f"{number:,} pairs of answers", *(_shown(tokens[one]) if one in tokens else "–" for one in packing))
    )
    return (
        f"One round on {CPUS} cores, one process, without a model. Conversations of 16 to {LENGTH:,} tokens, 551 on "
        f"average, in sequences of {LENGTH:,}; the reading of all their labels, which falls away as well, is left out. "
        f"Questions and answers of 60 words. The stage's batches are {'the same' if same else 'DIFFERENT'} in both "
        f"ways.\n\n{table(counted)}"
    )


def _now() -> tuple[float, float]:
    times = os.times()  # of this process and of those that it has waited for
    return time.monotonic(), sum(times[:4])


def _since(begun: tuple[float, float]) -> tuple[float, float]:
    wall, cpu = _now()
    return wall - begun[0], cpu - begun[1]


def _shown(cost: tuple[float, float]) -> str:
    return f"{cost[0]:.2f} ({cost[1]:.2f})"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench-prepare", description="A gang's data before its first step.")
    parser.add_argument("--rows", type=int, default=1_000_000, help="conversations (1,000,000)")
    parser.add_argument("--pairs", type=int, default=20_000, help="pairs of answers (20,000)")
    parser.add_argument("--document", action="store_true", help="write the table into docs/performance.md")
    return parser


if __name__ == "__main__":
    sys.exit(main())
