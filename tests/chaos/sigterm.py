"""Stops a gang that really trains by SIGTERM, again and again: `python -m chaos.sigterm --times 100 --stage pretrain`.

Run with PYTHONPATH=tests, on this machine's CPU and without a cluster. Each time the gang is stopped at a random moment
of its training; it must have saved the step that it was at, end with 143 within its grace period, and the next attempt
must go on from that very step. The records of all calls add up in out/chaos/sigterm.jsonl, of which the table is made.
"""

import argparse
import json
import random
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chaos.records import ENDED, LOST, STEPPING, Record, read, table
from engine import environment, sft_runs
from engine.pretrain_runs import Pod, PretrainRun, slowly, wait_until
from trainingrun_workers.contract import ExitCode, Result
from trainingrun_workers.pretrain.checkpoints import sizes
from trainingrun_workers.volume import read_marker

RECORDS: Final = Path(__file__).parents[2] / "out" / "chaos" / "sigterm.jsonl"
STEPS: Final = 1_000_000  # more than are ever done
LONGEST_WAIT: Final = 2.0  # seconds of training before the stop
PATIENCE: Final = 180.0  # seconds for an attempt to start
_STEP: Final = re.compile(r" step (\d+)/\d+ ")


@dataclass(frozen=True)
class Gang:
    """A stage that can be started: `grace` is the seconds that it has to save, `path` where a step is saved."""

    start: Callable[[], Pod]
    grace: float
    path: Callable[[int], Path]


def pretrain(root: Path) -> Gang:
    """Two ranks of nanotron that save every fifty steps by themselves."""
    run = slowly(PretrainRun(environment.interpreter("nanotron"), root, ranks=2), STEPS)
    run.config["logging"]["iteration_step_info_interval"] = 1
    run.spec["checkpoint_every"] = 50

    def start() -> Pod:
        run.attempt += 1
        return run.start()

    return Gang(start, 20, run.store.path)


def sft(root: Path) -> Gang:
    """A rank of Axolotl that saves every fifty steps by itself."""
    python = environment.interpreter("axolotl")
    run = sft_runs.make_stage(python, sft_runs.make_base(python, root / "base"), root)
    spec = sft_runs.spec(max_steps=STEPS, num_epochs=STEPS, save_steps=50)
    checkpoints = run.volume / sft_runs.FOLDER / "checkpoints"
    return Gang(lambda: run.start(spec), 30, lambda step: checkpoints / f"checkpoint-{step}")


STAGES: Final = {"pretrain": pretrain, "sft": sft}


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 where each stop was saved and gone on from."""
    parser = argparse.ArgumentParser(prog="chaos.sigterm", description="Stops training gangs by SIGTERM.")
    parser.add_argument("--times", type=int, default=10, help="how often")
    parser.add_argument("--stage", choices=STAGES, default="pretrain", help="what trains")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    options = parser.parse_args(arguments)
    RECORDS.parent.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit("chaos.sigterm: told to stop itself"))
    with tempfile.TemporaryDirectory(prefix="sigterm-") as root:
        made = stop_often(options.stage, STAGES[options.stage](Path(root)), options.times, random.Random(options.seed))
    print(table(read(RECORDS)))
    return 0 if all(one.recovered for one in made) else 1


def stop_often(stage: str, gang: Gang, times: int, draw: random.Random) -> list[Record]:
    """Stop a gang so many times; each record is kept once the attempt after it has gone on, or has not."""
    made: list[Record] = []
    pending: tuple[Record, Result, float] | None = None
    for number in range(times + 1):  # the last attempt only shows that the one before it is gone on from
        pod = gang.start()
        try:
            first = first_step(pod)
            if pending is not None:
                made.append(gone_on(*pending, first))
                keep(made[-1], number)
            if number < times:
                pending = stopped(stage, gang, pod, draw.uniform(0, LONGEST_WAIT))
        finally:
            pod.end()
    return made


def first_step(pod: Pod) -> int:
    """The first step that an attempt does, once it has done it."""
    wait_until(lambda: bool(_STEP.search(pod.log.read_text())) or pod.process.poll() is not None, PATIENCE)
    found = _STEP.search(pod.log.read_text())
    if found is None:
        sys.exit(f"chaos.sigterm: the gang did not start:\n{pod.log.read_text()[-4000:]}")
    return int(found[1])


def stopped(stage: str, gang: Gang, pod: Pod, wait: float) -> tuple[Record, Result, float]:
    """Stop an attempt after a while; yields the record of it, its last words and when it was stopped."""
    time.sleep(wait)
    started = time.monotonic()
    pod.process.terminate()
    result = pod.wait(4 * gang.grace)
    seconds = time.monotonic() - started
    done = int(_STEP.findall(pod.log.read_text())[-1])
    faults = [
        f"It ended with {result.exit_code} ({result.reason})." * (result.exit_code != ExitCode.PREEMPTED),
        f"It took {seconds:.1f} s." * (seconds > gang.grace),
        f"The checkpoint of step {result.step} is not whole." * (not _is_whole(gang.path(result.step or 0))),
    ]
    figures = {ENDED: seconds, LOST: float(max(done - (result.step or 0), 0))}
    note = " ".join(filter(None, faults))
    return Record(f"SIGTERM, {stage}", not note, figures, note), result, started


def gone_on(record: Record, result: Result, started: float, first: int) -> Record:
    """The record with what the attempt after it has shown: its first step."""
    figures = {**record.figures, STEPPING: time.monotonic() - started}
    if first == (result.step or 0) + 1:
        return Record(record.fault, record.recovered, figures, record.note)
    note = f"{record.note} Step {result.step} was saved, but the next attempt began with {first}.".strip()
    return Record(record.fault, False, figures, note)


def keep(record: Record, number: int) -> None:
    """Add a record to the file and say what it holds."""
    with RECORDS.open("a") as file:
        file.write(record.to_json() + "\n")
    print(number, record.fault, "recovered" if record.recovered else "LOST", json.dumps(record.figures), record.note)
    sys.stdout.flush()


def _is_whole(folder: Path) -> bool:
    marker = read_marker(folder)
    return marker is not None and marker["files"] == sizes(folder)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
