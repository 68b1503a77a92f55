"""A disk on which a save takes seconds: on a fast one a checkpoint is written before a test could interrupt it."""

from pathlib import Path
from typing import Final

from engine.pretrain_runs import WORKERS

# Python runs it when it starts, in each process of the pod.
PROGRAM: Final = """
import os, time

sync = os.fsync

def fsync(descriptor):
    time.sleep({seconds})
    sync(descriptor)

os.fsync = fsync
"""


def slow_disk(folder: Path, seconds: float) -> dict[str, str]:
    """The environment of a pod for which each file and folder takes so many seconds to reach the disk."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(PROGRAM.format(seconds=seconds))
    return {"PYTHONPATH": f"{folder}:{WORKERS}"}
