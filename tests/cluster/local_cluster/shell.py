"""Running other programs to their end."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from local_cluster.errors import ClusterError

_TAIL_LINES = 15


def output(
    command: Sequence[str | Path],
    *,
    stdin: str = "",
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float | None = None,
) -> str:
    """What a program printed on standard output; raises ClusterError with its last lines where it fails."""
    argv = [str(part) for part in command]
    try:
        done = subprocess.run(
            argv, input=stdin, capture_output=True, text=True, cwd=folder, env=environment, timeout=seconds, check=False
        )
    except FileNotFoundError as error:
        raise ClusterError(
            f"{argv[0]} is not installed on this machine: install it and run the command again."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"`{' '.join(argv)}` had not ended after {seconds:.0f} s: run the command again.") from error
    if done.returncode != 0:
        tail = "\n".join(f"    {line}" for line in (done.stderr or done.stdout).splitlines()[-_TAIL_LINES:])
        raise ClusterError(f"`{' '.join(argv)}` failed ({done.returncode}): mend what it says and try again.\n{tail}")
    return done.stdout


def succeeds(command: Sequence[str | Path], *, seconds: float = 10) -> bool:
    """Whether a program ends with 0 within so many seconds; its output is dropped."""
    try:
        output(command, seconds=seconds)
    except ClusterError:
        return False
    return True
