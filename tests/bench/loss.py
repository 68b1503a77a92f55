"""The loss's ways, by time and by the most memory they need: `make bench-loss`, by the interpreter of an engine.

The last layer of a model and its cross entropy, forward and backward: all logits at once; the torch engine's own way,
some rows at a time; and torch's `linear_cross_entropy` in pieces. Liger's kernel is Triton's alone, for GPUs, and is
not among what the image installs. With a GPU in reach it is measured there, else on the CPU.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, Final

import documented
from bench.markdown import table

MARK: Final = "loss"
WAYS: Final = ("all logits at once", "4,096 rows at a time", "1,024 rows at a time", "torch's, in pieces")
SHAPES: Final = {"cpu": (8192, 128, 8192), "cuda": (16384, 960, 128256)}  # tokens, width, vocabulary
LONGEST: Final = 60  # seconds that a way may take, in all its rounds
MIB: Final = 2**20


def loss(way: str) -> Callable[[Any, Any, Any], Any]:
    """A way as a function of hidden states, the head and labels."""
    import torch.nn.functional as functional
    from torch.nn import LinearCrossEntropyOptions

    from trainingrun_workers.torch_engine.model import mean_loss, summed

    def at_once(hidden: Any, head: Any, labels: Any) -> Any:
        return functional.cross_entropy(head(hidden).float(), labels)

    def fused(hidden: Any, head: Any, labels: Any) -> Any:
        options = LinearCrossEntropyOptions()
        return functional.linear_cross_entropy(hidden, head.weight, labels, options=options)

    def pieces(rows: int) -> Callable[[Any, Any, Any], Any]:
        return lambda hidden, head, labels: mean_loss(hidden, head, labels, summed, rows)

    return dict(zip(WAYS, (at_once, pieces(4096), pieces(1024), fused), strict=True))[way]


def measure(way: str, dtype: str, rounds: int) -> None:
    """Print the median seconds, the MiB above those before the first round, the loss and the gradient's norm."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokens, width, vocabulary = SHAPES[device]
    torch.manual_seed(1)
    kind = getattr(torch, dtype)
    head = torch.nn.Linear(width, vocabulary, bias=False, device=device, dtype=kind)
    hidden = torch.randn(tokens, width, device=device, dtype=kind, requires_grad=True)
    labels = torch.randint(0, vocabulary, (tokens,), device=device)
    one, before, seconds = loss(way), _peak(device), []
    for _ in range(rounds):
        hidden.grad = head.weight.grad = None
        started = time.perf_counter()
        value = one(hidden, head, labels)
        value.backward()
        float(hidden.grad.flatten()[0])  # waits for a GPU
        seconds.append(time.perf_counter() - started)
    norm = float(hidden.grad.float().norm())
    print(statistics.median(seconds), (_peak(device) - before) / MIB, float(value), norm)


def _peak(device: str) -> int:
    """The most bytes so far: of the GPU's allocator, or of the process."""
    import torch

    if device == "cuda":
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def report(rounds: int) -> str:
    """The table, each way in a process of its own."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokens, width, vocabulary = SHAPES[device]
    rows = [("way", "type", "seconds", "MiB at most", "loss", "norm of the gradient")]
    for dtype in ("float32", "bfloat16"):
        for way in WAYS:
            command = [sys.executable, "-m", "bench.loss", "--one", way, "--dtype", dtype, "--rounds", str(rounds)]
            try:
                made = subprocess.run(command, check=True, capture_output=True, text=True, timeout=LONGEST)
            except subprocess.TimeoutExpired:
                rows.append((way, dtype, f"more than {LONGEST} s for {rounds} rounds", "", "", ""))
                continue
            seconds, memory, value, norm = (float(part) for part in made.stdout.split())
            rows.append((way, dtype, f"{seconds:.2f}", f"{memory:,.0f}", f"{value:.4f}", f"{norm:.3e}"))
            print(rows[-1], file=sys.stderr, flush=True)
    where = torch.cuda.get_device_name() if device == "cuda" else "CPU; no GPU was in reach"
    return (
        f"{tokens:,} hidden states of {width} numbers and {vocabulary:,} ids, forward and backward, on {where}, torch "
        f"{torch.__version__}; medians of {rounds} rounds, each way in a process of its own; memory is what came on "
        f"top of weights and hidden states, gradients among it.\n\n{table(rows)}"
    )


def main() -> int:
    """Measure, print and, where asked, write into the documentation."""
    options = _parser().parse_args()
    if options.one:
        measure(options.one, options.dtype, options.rounds)
        return 0
    words = report(options.rounds)
    print(f"\n{words}", flush=True)
    if options.document:
        documented.write(MARK, words, documented.PERFORMANCE)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench-loss", description="The loss, by several ways.")
    parser.add_argument("--rounds", type=int, default=3, help="how often each way is taken (3)")
    parser.add_argument("--document", action="store_true", help="write the table into docs/performance.md")
    parser.add_argument("--one", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--dtype", default="float32", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
