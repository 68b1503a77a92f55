"""A volume that stops answering one rank: what it reads hangs, while the others wait for it in a collective."""

from pathlib import Path
from typing import Final

from engine.pretrain_runs import WORKERS

# Python runs it when it starts, in each process of the pod.
PROGRAM: Final = """
import os, time

if os.environ.get("RANK") == "{rank}":
    read, left = os.pread, [{reads}]

    def pread(*arguments):
        left[0] -= 1
        if left[0] < 0:
            time.sleep(3600)
        return read(*arguments)

    os.pread = pread
"""


def silent_disk(folder: Path, rank: int, reads: int) -> dict[str, str]:
    """The environment of a pod one rank of which gets nothing more from the volume after so many reads."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(PROGRAM.format(rank=rank, reads=reads))
    return {"PYTHONPATH": f"{folder}:{WORKERS}"}
