"""Runs the ranks of this pod under torchrun, passes a stop on to them and finds out how each has ended.

The gang's shape comes from the PET_ variables that the PyTorchJob controller sets. torchrun's static rendezvous is
used, over a c10d store at the master, because it makes a rank's number follow from the pod's: rank 0 is in the master.
"""

import dataclasses
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Final

from trainingrun_workers import processes
from trainingrun_workers.contract import ExitCode, Result
from trainingrun_workers.errors import Retry, StageError
from trainingrun_workers.launched import FOLDER_VARIABLE, STATUS_FILE
from trainingrun_workers.rank_output import RankOutput
from trainingrun_workers.watchdog import HangRule, Watchdog

RENDEZVOUS_VARIABLE: Final = "TRAININGRUN_RENDEZVOUS_SECONDS"
RENDEZVOUS_SECONDS: Final = 900.0  # pods of a gang may start minutes apart, while their image is pulled
POLL_SECONDS: Final = 0.1
SAVING_SHARE: Final = 0.9  # of the grace period; the rest is for the last words
LOGGER: Final = logging.getLogger(__name__)
# Where ranks end differently, the first of these is what has happened; the others follow from it.
_PRECEDENCE: Final = (ExitCode.BAD_CONFIG, ExitCode.BAD_DATA, ExitCode.RETRY, ExitCode.PREEMPTED, ExitCode.DONE)
_VICTIM: Final = "PeerLost"


@dataclass(frozen=True)
class Gang:
    """What to run: `python -m module argv…`, as `processes_per_node` ranks on each of `nodes` nodes."""

    module: str
    argv: tuple[str, ...]
    nodes: int
    processes_per_node: int
    identity: str  # tells this attempt's rendezvous from any other's
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RankOutcome:
    """How a rank has ended; `result` is None for one that left no word."""

    rank: int
    result: Result | None


def launch(
    gang: Gang,
    grace_seconds: float,
    hang: HangRule | None = None,
    report: Callable[[dict[str, Any]], None] = lambda fields: None,
) -> list[RankOutcome]:
    """Run the gang's ranks of this node to their end; yields their outcomes by rank.

    `report` gets the fields that rank 0 reports, on its node. SIGTERM goes on to the ranks, which have most of
    `grace_seconds` to save. Retry when the master can't be found, when no rank could start or when they hang.
    """
    master = _await_master(gang)
    with tempfile.TemporaryDirectory(prefix="trainingrun-") as name, _stop_flag() as stopped:
        folder = Path(name)
        with RankOutput(folder, _local_ranks(gang)) as output:
            torchrun = _start(gang, master, folder, output.descriptor)
            try:
                _follow(torchrun, folder, stopped, grace_seconds, Watchdog(folder, hang) if hang else None, report)
            finally:
                processes.kill(torchrun.pid, folder)
                torchrun.wait()
        outcomes = [RankOutcome(rank, _result(folder / f"{rank}.result")) for rank in _local_ranks(gang)]
        if not list(folder.glob("*.pid")):
            outcomes = [_never_started(one, bool(stopped), torchrun.returncode) for one in outcomes]
        return [_stopped(one) for one in outcomes] if stopped else outcomes


def verdict(outcomes: Sequence[RankOutcome]) -> Result:
    """The one result that all outcomes of a pod come to; raises it as StageError unless every rank is done."""
    results = [one.result or _silent(one.rank) for one in outcomes]
    order = {int(code): place for place, code in enumerate(_PRECEDENCE)}
    worst = min(results, key=lambda one: (order.get(one.exit_code, 0), one.reason == _VICTIM))
    if worst.exit_code != ExitCode.DONE:
        error = StageError(ExitCode(worst.exit_code), worst.reason, worst.message, worst.step)
        error.output = worst.output
        raise error
    return worst


def node_rank() -> int:
    """This pod's place in its gang, 0 for the master."""
    return int(os.environ.get("PET_NODE_RANK") or 0)


def _await_master(gang: Gang) -> tuple[str, int]:
    address = os.environ.get("PET_MASTER_ADDR") or "localhost"
    port = int(os.environ.get("PET_MASTER_PORT") or 29500)
    deadline = time.monotonic() + _rendezvous_seconds()
    while gang.nodes > 1 and node_rank() > 0:
        try:
            socket.getaddrinfo(address, port)
            break
        except OSError as error:
            if time.monotonic() > deadline:
                raise Retry(
                    "MasterUnreachable",
                    f"The gang's master {address} was not found within {_rendezvous_seconds():.0f} s ({error}): its "
                    "pod has not started or the cluster's DNS does not answer.",
                ) from error
            time.sleep(1)
    return address, port


def _rendezvous_seconds() -> float:
    return float(os.environ.get(RENDEZVOUS_VARIABLE) or RENDEZVOUS_SECONDS)


def _start(gang: Gang, master: tuple[str, int], folder: Path, output: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        _command(gang, master), env=_environment(gang, folder), start_new_session=True, stdout=output, stderr=output
    )


def _command(gang: Gang, master: tuple[str, int]) -> list[str]:
    where = ["--standalone"]
    if gang.nodes > 1:
        where = [
            f"--nnodes={gang.nodes}", f"--node-rank={node_rank()}",
            "--rdzv-backend=static", f"--master-addr={master[0]}", f"--master-port={master[1]}",
            f"--rdzv-id={gang.identity}", f"--rdzv-conf=timeout={_rendezvous_seconds():.0f}",
        ]  # fmt: skip
    return [
        sys.executable, "-m", "torch.distributed.run", *where, f"--nproc-per-node={gang.processes_per_node}",
        "--max-restarts=0", "--monitor-interval=0.3", "--shutdown-timeout=10", "-m", gang.module, *gang.argv,
    ]  # fmt: skip


def _environment(gang: Gang, folder: Path) -> dict[str, str]:
    source_root = str(Path(__file__).parents[1])
    known = {name: value for name, value in os.environ.items() if not name.startswith("PET_")}
    path = os.pathsep.join(filter(None, (source_root, os.environ.get("PYTHONPATH"))))
    own = {"PYTHONPATH": path, FOLDER_VARIABLE: str(folder), "PYTHONUNBUFFERED": "1", "TQDM_DISABLE": "1"}
    # torch asks for a user name, which an arbitrary user id has none of.
    return {"OMP_NUM_THREADS": "1", "USER": "trainingrun", **known, **gang.environment, **own}


class _Flag:
    """Whether the pod has been told to stop, and since when."""

    def __init__(self) -> None:
        self.since: float | None = None

    def __bool__(self) -> bool:
        return self.since is not None

    def raise_(self, number: int, frame: FrameType | None) -> None:
        self.since = self.since or time.monotonic()


@contextmanager
def _stop_flag() -> Iterator[_Flag]:
    flag = _Flag()
    before = signal.signal(signal.SIGTERM, flag.raise_)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGTERM, before)


def _follow(
    torchrun: subprocess.Popen[bytes],
    folder: Path,
    stopped: _Flag,
    grace_seconds: float,
    watchdog: Watchdog | None,
    report: Callable[[dict[str, Any]], None],
) -> None:
    status, told = _Status(folder / STATUS_FILE, report), set[int]()
    while torchrun.poll() is None:
        if stopped.since is not None:
            # To the ranks, not to torchrun, which would kill them after a time of its own.
            told |= processes.tell(signal.SIGTERM, folder, told)
            if not told:
                return
            if time.monotonic() > stopped.since + SAVING_SHARE * grace_seconds:
                LOGGER.warning("The ranks have not saved within the grace period and are ended")
                return
        elif watchdog:
            watchdog.check()
        status.pass_on()
        time.sleep(POLL_SECONDS)
    status.pass_on()


class _Status:
    """Hands on what rank 0 reports, once each time that it has changed."""

    def __init__(self, path: Path, report: Callable[[dict[str, Any]], None]) -> None:
        self._path = path
        self._report = report
        self._seen = 0

    def pass_on(self) -> None:
        try:
            changed = self._path.stat().st_mtime_ns
            if changed != self._seen:
                self._seen = changed
                self._report(json.loads(self._path.read_text()))
        except FileNotFoundError:
            return


def _local_ranks(gang: Gang) -> range:
    first = node_rank() * gang.processes_per_node
    return range(first, first + gang.processes_per_node)


def _result(path: Path) -> Result | None:
    return Result.from_text(path.read_text()) if path.is_file() else None


def _never_started(outcome: RankOutcome, stopped: bool, code: int) -> RankOutcome:
    if stopped:
        return outcome
    message = f"torchrun ended with {code} before any rank had started: a pod of the gang is missing or unreachable."
    return dataclasses.replace(outcome, result=Result(int(ExitCode.RETRY), "RendezvousFailed", message))


def _stopped(outcome: RankOutcome) -> RankOutcome:
    if outcome.result and outcome.result.reason != _VICTIM:
        return outcome
    message = "The pod was told to stop and could not save in time; it goes on from the newest checkpoint."
    return dataclasses.replace(outcome, result=Result(int(ExitCode.PREEMPTED), "Preempted", message))


def _silent(rank: int) -> Result:
    message = f"Rank {rank} ended without a word, as one does that is killed for want of memory: see the pod's log."
    return Result(int(ExitCode.RETRY), "RankLost", message)
