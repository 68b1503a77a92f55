"""Print how much of a month is useful, for some intervals between checkpoints; run by `make goodput`."""

import argparse
import statistics
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import documented
from goodput.parameters import BACKOFF, DAY, DEFAULTS, Parameters
from goodput.simulation import Outcome, Simulation
from trainingrun_workers.pretrain.interval import best_interval

HEADER = (
    "failures", "restart", "save", "interval", "", "useful", "least", "saving", "repeated", "waiting", "restarts",
)  # fmt: skip
WIDTHS = (15, 10, 7, 10, 13, 9, 9, 8, 10, 9, 9)
CHOICE, RECOMMENDED = 4, "recommended"


def months(parameters: Parameters, between: float, save: float, interval: float) -> list[Outcome]:
    """The same month with each of the seeds."""
    seeds = range(parameters.seed, parameters.seed + parameters.months)
    return [Simulation(parameters, between, save, interval, seed).play() for seed in seeds]


def rows(parameters: Parameters, restart: str, multiples: Sequence[float]) -> Iterator[tuple[str, ...]]:
    """A row for each mean time between failures, save and interval."""
    for days in parameters.days_between_failures:
        for save in parameters.save_seconds:
            best = best_interval(save, days * DAY)
            for multiple in multiples:
                played = months(parameters, days * DAY, save, best * multiple)
                yield (
                    "one a day" if days == 1 else f"one a {days:g} days",
                    restart,
                    f"{save:g} s",
                    f"{best * multiple / 60:.0f} min",
                    RECOMMENDED if multiple == 1.0 else f"x {multiple:g}",
                    *_figures(played),
                )


def _figures(played: list[Outcome]) -> tuple[str, ...]:
    total = sum(one.total for one in played)
    shares = [one.share for one in played]
    parts = [sum(getattr(one, name) for one in played) / total for name in ("saving", "repeated", "waiting")]
    restarts = statistics.mean(one.failures for one in played)
    return f"{statistics.mean(shares):.2%}", f"{min(shares):.2%}", *(f"{one:.2%}" for one in parts), f"{restarts:.1f}"


def _of_document(row: Sequence[str]) -> str:
    return f"| {' | '.join(cell for place, cell in enumerate(row) if place != CHOICE)} |\n"


def main() -> None:
    """Print the table row by row, as it comes."""
    parser = argparse.ArgumentParser(description="How much of a month of training is useful.")
    parser.add_argument("--parameters", type=Path, default=DEFAULTS)
    parser.add_argument("--document", action="store_true", help="write recommended intervals into docs/operations.md")
    options = parser.parse_args()
    limits = Parameters.read(options.parameters)
    measured = limits.measured()
    print(
        f"{limits.days} days, {limits.nodes} nodes x {limits.gpus_per_node} GPUs, seeds {limits.seed} to "
        f"{limits.seed + limits.months - 1}: means of {limits.months} runs, and the least useful of them. A restart "
        f"takes {_restart(limits)} s (limit) or {_restart(measured)} s (measured).\n"
    )
    kept = [_of_document(HEADER), _of_document(["---"] * len(HEADER))]
    found = chain(rows(measured, "measured", (1.0,)), rows(limits, "limit", limits.multiples))
    for row in chain([HEADER], found):
        print("".join(cell.ljust(width) for cell, width in zip(row, WIDTHS, strict=True)).rstrip(), flush=True)
        if row[CHOICE] == RECOMMENDED:
            kept.append(_of_document(row))
    if options.document:
        documented.write("goodput", "".join(kept))


def _restart(parameters: Parameters) -> str:
    return f"{BACKOFF + parameters.pods_running_seconds + parameters.first_step_seconds:.0f}"


if __name__ == "__main__":
    main()
