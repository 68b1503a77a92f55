"""One rank of a gang that `launch` has started: how it learns of a stop, shows that it lives and leaves its result.

All of it goes through a folder on the pod's own disk, since torchrun turns every exit code into 1 and may be killed.
"""

import contextlib
import enum
import faulthandler
import functools
import json
import logging
import os
import signal
import struct
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Final, NoReturn

from trainingrun_workers.contract import ExitCode, Result
from trainingrun_workers.errors import StageError, VolumeFull
from trainingrun_workers.rank_output import SUFFIX, print_into

FOLDER_VARIABLE: Final = "TRAININGRUN_RANK_FOLDER"
STACK_SIGNAL: Final = signal.SIGUSR1
STATUS_FILE: Final = "status.json"
STATUS_SECONDS: Final = 0.5
BEAT: Final = struct.Struct("<qqd")  # step, activity, seconds on the machine's monotonic clock
# What torch says where another rank has gone: this rank is a victim, the cause is found elsewhere.
_PEER_GONE: Final = ("Connection closed by peer", "Connection reset", "Broken pipe", "recvValue failed", "NCCL error")


class Activity(enum.IntEnum):
    """What a rank is doing; how long it may do so without a step depends on it."""

    STARTING = 0  # from its first line to the end of its first step
    LOADING = 1
    TRAINING = 2
    SAVING = 3


class LaunchedRank:
    """This process as a rank. Made before anything heavy is imported, so that no signal is missed."""

    def __init__(self) -> None:
        self.folder = Path(os.environ[FOLDER_VARIABLE])
        self.rank = int(os.environ["RANK"])
        print_into(self._file(SUFFIX))
        self.local_rank = int(os.environ["LOCAL_RANK"])
        self.world_size = int(os.environ["WORLD_SIZE"])
        self.stop_requested = False
        self._status: dict[str, Any] = {}
        self._status_due = 0.0
        signal.signal(signal.SIGTERM, self._stop)
        self._stacks = self._file("stacks").open("w")
        faulthandler.register(STACK_SIGNAL, file=self._stacks, all_threads=True)
        self._beats = os.open(self._file("beat"), os.O_WRONLY | os.O_CREAT, 0o644)
        self.beat(0, Activity.STARTING)
        self._file("pid").write_text(str(os.getpid()))

    def beat(self, step: int, activity: Activity) -> None:
        """Show that this rank lives; cheap enough for every step."""
        os.pwrite(self._beats, BEAT.pack(step, activity, time.monotonic()), 0)

    def report(self, now: bool = False, **fields: Any) -> None:
        """Replace fields of the pod's snapshot (names of `contract.Snapshot`); written twice a second at most.

        Without effect on other ranks than 0, which speaks for all.
        """
        if self.rank:
            return
        self._status.update(fields)
        if now or time.monotonic() >= self._status_due:
            self._status_due = time.monotonic() + STATUS_SECONDS
            _replace(self.folder / STATUS_FILE, json.dumps(self._status))

    def leave(self, result: Result) -> None:
        """Write this rank's result for the pod's main process."""
        _replace(self._file("result"), result.to_json())

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stop_requested = True

    def _file(self, kind: str) -> Path:
        return self.folder / f"{self.rank}.{kind}"


def run_rank(work: Callable[[LaunchedRank], Result]) -> NoReturn:
    """Do a rank's work, leave its result and end the process: with 0 when done or saved, else with 1.

    A code other than 0 makes torchrun end the other ranks of the pod, which may wait for this one for ever.
    """
    _log_to_stdout()
    rank = LaunchedRank()
    sys.excepthook = functools.partial(_crashed, rank)
    try:
        result = work(rank)
    except StageError as error:
        result = error.result()
    except OSError as error:
        full = VolumeFull.of(error)
        if full is None:
            raise
        result = full.result()
    end_rank(rank, result)


def _log_to_stdout() -> None:
    # Apart from the root logger, whose level and handlers the engines set as they like.
    logger = logging.getLogger("trainingrun_workers")
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


def _crashed(rank: LaunchedRank, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    traceback.print_exception(kind, error, trace)
    end_rank(rank, _crash(rank, error))


def end_rank(rank: LaunchedRank, result: Result) -> NoReturn:
    """Leave a rank's result and end its process at once, from any thread."""
    rank.leave(result)
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: threads of NCCL or gloo may wait for peers that have gone, and nothing is left that needs them.
    os._exit(int(result.exit_code not in (ExitCode.DONE, ExitCode.PREEMPTED)))


def _crash(rank: LaunchedRank, error: BaseException) -> Result:
    text = " ".join(str(error).split())[:800]
    if any(words in text for words in _PEER_GONE):
        message = f"Rank {rank.rank} lost the connection to another rank, which has ended or can't be reached."
        return Result(int(ExitCode.RETRY), "PeerLost", message)
    message = f"Rank {rank.rank} crashed with {type(error).__name__}: {text}; see the pod's log."
    return Result(int(ExitCode.RETRY), "RankCrashed", message)


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f"{path.name}.tmp")
    with contextlib.suppress(FileNotFoundError):  # the main process has given up on this attempt
        temporary.write_text(text)
        temporary.replace(path)
