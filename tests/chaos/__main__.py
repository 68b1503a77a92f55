"""Faults on a real cluster, measured: `PYTHONPATH=tests .venv/bin/python -m chaos --help`; run by `make test-chaos`.

Every record is kept in out/chaos/records.jsonl; the table of them all is printed, and with --document it is written
into docs/operations.md.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

import documented
from chaos import records
from chaos.records import Record
from chaos.recovery import produce, told
from chaos.scenarios import FAULTS, SCENARIOS, SHORT
from chaos.world import World
from e2e.installation import REPOSITORY, say

RECORDS: Final = REPOSITORY / "out" / "chaos" / "records.jsonl"
STOPS: Final = RECORDS.with_name("sigterm.jsonl")  # of chaos.sigterm


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 where every fault was recovered from within the limits."""
    options = _parser().parse_args(arguments)
    unknown = set(options.faults) - {*FAULTS, *SCENARIOS}
    if unknown:
        sys.exit(f"chaos: there is no fault {unknown.pop()!r}: choose of {', '.join([*FAULTS, *SCENARIOS])}.")
    chosen = options.faults or ([*FAULTS, *SCENARIOS] if options.times else list(SHORT))
    if not options.table:
        RECORDS.parent.mkdir(parents=True, exist_ok=True)
        if not options.add:
            RECORDS.unlink(missing_ok=True)
        world = World(options.seed)
        try:
            keep(_produced(world, chosen, options.times or 1))
        finally:
            world.close()
    return _summary(records.read(RECORDS), options.document)


def _produced(world: World, chosen: Sequence[str], times: int) -> Iterable[Record]:
    strikes = [FAULTS[name] for name in chosen if name in FAULTS]
    yield from produce(world, strikes * times)
    for name in [name for name in chosen if name in SCENARIOS for _ in range(times)]:
        yield from told(name, partial(SCENARIOS[name], world))


def keep(found: Iterable[Record]) -> None:
    """Write each record as soon as it is there."""
    for one in found:
        with RECORDS.open("a") as file:
            file.write(one.to_json() + "\n")


def _summary(found: list[Record], document: bool) -> int:
    table = records.table(found)
    print(f"\nMedian / 95th percentile; the limits are of the latter.\n\n{table}")
    lost = [f"{one.fault}: {one.note}" for one in found if not one.recovered]
    for line in (*lost, *records.too_slow(found)):
        say(line)
    if document:
        documented.write("faults", table)
        if STOPS.is_file():
            documented.write("stops", records.table(records.read(STOPS)))
    return 1 if lost or records.too_slow(found) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="chaos", description="Produce faults on a real cluster and measure them.")
    known = [*FAULTS, *SCENARIOS]
    parser.add_argument("faults", nargs="*", metavar="FAULT", help=f"of: {', '.join(known)}")
    parser.add_argument("--times", type=int, help="how often each; without, a short selection, once each")
    parser.add_argument("--seed", type=int, default=1, help="of which pod is struck and when")
    parser.add_argument("--add", action="store_true", help="keep the records that are there")
    parser.add_argument("--table", action="store_true", help="produce nothing, print the table again")
    parser.add_argument("--document", action="store_true", help="write the table into docs/operations.md")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
