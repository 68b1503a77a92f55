"""The mounts below a folder, and taking them away."""

import ctypes
import os
import re
from pathlib import Path

_DETACH = 2  # MNT_DETACH of umount2(2)
_OCTAL = re.compile(r"\\([0-7]{3})")


def mounts_below(folder: Path) -> list[str]:
    """The mount points in a folder, the newest first; their names as the kernel has them."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [_OCTAL.sub(lambda code: chr(int(code[1], 8)), line.split()[4]) for line in lines]
    return [point for point in reversed(points) if point.startswith(f"{str(folder).rstrip('/')}/")]


def unmount_below(folder: Path) -> None:
    """Take away every mount in a folder, also one that is in use."""
    libc = ctypes.CDLL(None)
    for point in mounts_below(folder):
        libc.umount2(os.fsencode(point), _DETACH)
