"""Programs that outlive this one: started detached, known by pid, start time and boot, stopped by pid."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local_cluster.errors import ClusterError

_TAIL_LINES = 15


def start_time(pid: int) -> str | None:
    """The start time of a running process in clock ticks since boot; None where there is none, or only a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()  # what follows the command's name, which may hold anything
    return None if fields[0] in "ZX" else fields[19]


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@dataclass(frozen=True)
class Process:
    """A program of the cluster. `folder` holds `pids/NAME` ("pid start-time boot") and `logs/NAME.log`."""

    name: str
    folder: Path

    @property
    def log(self) -> Path:
        """The file with all it printed since its last start."""
        return self.folder / "logs" / f"{self.name}.log"

    @property
    def _pid_file(self) -> Path:
        return self.folder / "pids" / self.name

    def pid(self) -> int | None:
        """Its pid while it runs; None once it is dead, also where another program or boot has taken the number."""
        try:
            pid, started, boot = self._pid_file.read_text().split()
        except (FileNotFoundError, ValueError):
            return None
        return int(pid) if boot == _boot() and start_time(int(pid)) == started else None

    def start(self, command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> None:
        """Start it detached from this program, unless it runs."""
        if self.pid() is not None:
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._pid_file.parent.mkdir(parents=True, exist_ok=True)
        argv = [str(part) for part in command]
        log = str(self.log)
        # posix_spawn leaves no object behind that would complain of a child still running.
        pid = os.posix_spawnp(
            argv[0],
            argv,
            {**os.environ, **(environment or {})},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        self._pid_file.write_text(f"{pid} {start_time(pid)} {_boot()}")

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Return once `ready()` holds; raises ClusterError with the log's end where it dies or takes longer."""
        limit = time.monotonic() + seconds
        while not ready():
            if self.pid() is None:
                raise ClusterError(self._complaint("ended while starting"))
            if time.monotonic() > limit:
                raise ClusterError(self._complaint(f"was not ready after {seconds:.0f} s"))
            time.sleep(0.1)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it runs."""
        pid = self.pid()
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def stop(self, grace: float = 10) -> None:
        """End it: SIGTERM, and SIGKILL after `grace` seconds; returns once it is gone."""
        stop_all([self], grace)

    def forget(self) -> None:
        """Remove the record of a process that has ended."""
        self._pid_file.unlink(missing_ok=True)

    def _complaint(self, what: str) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-_TAIL_LINES:] if self.log.exists() else []
        tail = "\n".join(f"    {line}" for line in lines)
        return f"{self.name} {what}: see {self.log} and run the command again.\n{tail}"


def stop_all(processes: Iterable[Process], grace: float = 10) -> None:
    """End several at once: SIGTERM to each, SIGKILL after `grace` seconds; returns once all are gone."""
    processes = list(processes)
    pids = [pid for process in processes if (pid := process.pid()) is not None]
    for process in processes:
        process.signal(signal.SIGTERM)
    limit = time.monotonic() + grace
    while running := [process for process in processes if process.pid() is not None]:
        if time.monotonic() > limit:
            for process in running:
                process.signal(signal.SIGKILL)
        time.sleep(0.05)
    for pid in pids:
        _reap(pid)
    for process in processes:
        process.forget()


def kill_pids(pids: Iterable[int]) -> None:
    """SIGKILL to each of these pids that still is."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):  # it may be the child of an earlier run of this program
        os.waitpid(pid, os.WNOHANG)
