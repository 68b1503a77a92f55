"""The shared volume: paths that stay inside it, files that are whole or not there, and markers of finished folders.

Everything written here can be read and replaced by the group, since stages run under other users of one fsGroup.
"""

import contextlib
import json
import os
import shutil
import socket
import threading
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.contract import COMPLETE_MARKER
from trainingrun_workers.errors import BadConfig

FILE_MODE: Final = 0o664
FOLDER_MODE: Final = 0o775


class Volume:
    """The volume's mount; every path of a stage input is relative to `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    def check(self) -> None:
        """BadConfig when the mount is not there or can't be written."""
        if not self.root.is_dir():
            raise BadConfig("VolumeMissing", f"There is no volume at {self.root}: mount the run's claim there.")
        if not os.access(self.root, os.W_OK | os.X_OK):
            raise BadConfig(
                "VolumeUnwritable",
                f"The volume at {self.root} can't be written by user {os.getuid()} and group {os.getgid()}: "
                "give the claim a storage class that honours fsGroup, or make the volume writable.",
            )

    def path(self, relative: str) -> Path:
        """The absolute path of something on the volume; BadConfig when it leads out of the volume."""
        path = (self.root / relative).resolve()
        if not path.is_relative_to(self.root):
            raise BadConfig(
                "PathOutsideVolume", f"The path {relative!r} leads out of the volume: use one relative to its root."
            )
        return path

    def free_bytes(self) -> int:
        """Bytes that an unprivileged process can still write."""
        return shutil.disk_usage(self.root).free

    def room(self) -> tuple[int, int] | None:
        """Free bytes and bytes in all; None where the file system does not say."""
        try:
            usage = shutil.disk_usage(self.root)
        except OSError:
            return None
        return usage.free, usage.total


def make_folder(folder: Path) -> Path:
    """The folder, made with its parents where missing and open to the group."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        with contextlib.suppress(PermissionError):  # another pod's user may have been the first to make it
            folder.chmod(FOLDER_MODE)
    return folder


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write a whole file (text as UTF-8) that survives a crash: readers see the old one or the new one."""
    make_folder(path.parent)
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{socket.gethostname()}-{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), FILE_MODE)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Wait until a file's content is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk; without effect on file systems that know no such thing."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def mark_complete(folder: Path, output: dict[str, Any]) -> None:
    """Write the folder's marker, as the last thing that happens to it."""
    write_atomic(folder / COMPLETE_MARKER, json.dumps(output, sort_keys=True, indent=1) + "\n")


def read_marker(folder: Path) -> dict[str, Any] | None:
    """The output of a finished folder, or None where the marker is missing or torn."""
    try:
        marker = json.loads((folder / COMPLETE_MARKER).read_text())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return marker if isinstance(marker, dict) else None
