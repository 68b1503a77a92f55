"""Folders on the volume that are reached without following a link, whatever was put there meanwhile."""

import contextlib
import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from trainingrun_workers.errors import BadConfig
from trainingrun_workers.volume import FOLDER_MODE

ARTIFACTS: Final = "artifacts"
REMOVED: Final = ".removed"  # beside `artifacts`, so that a folder gets there by a rename
NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")  # of a kind, of a hash and of a batch
_OPEN: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def parse(path: str) -> tuple[str, str]:
    """Kind and hash of `artifacts/<kind>/<hash>`; BadConfig for any other path."""
    parts = path.split("/")
    if len(parts) != 3 or parts[0] != ARTIFACTS or not all(NAME.fullmatch(part) for part in parts[1:]):
        raise BadConfig("NoArtifact", f"{path!r} is no artifact: name one as {ARTIFACTS}/<kind>/<hash>.")
    return parts[1], parts[2]


def parse_batch(name: str) -> str:
    """The name of a folder below `.removed`; BadConfig for what can't be one."""
    if not NAME.fullmatch(name):
        raise BadConfig("NoBatch", f"{name!r} can't name what was removed: use lower-case letters, digits and dashes.")
    return name


@contextlib.contextmanager
def opened(root: Path, *names: str, make: bool = False) -> Iterator[int]:
    """A descriptor of the folder `root/names…`, made where missing if `make`; an OSError where one of them is a link.

    What is renamed by such descriptors is what was looked at, even when somebody moves a link into the way.
    """
    with contextlib.ExitStack() as stack:
        here = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        stack.callback(os.close, here)
        for name in names:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, FOLDER_MODE, dir_fd=here)
            here = os.open(name, _OPEN, dir_fd=here)
            stack.callback(os.close, here)
        yield here


def is_folder(parent: int, name: str) -> bool:
    """Whether an open folder has a real folder of this name: not a link, not a file."""
    try:
        os.close(os.open(name, _OPEN, dir_fd=parent))
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        if error.errno == errno.ELOOP:
            return False
        raise
    return True
