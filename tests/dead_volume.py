"""A file system whose server is there no more: whoever asks it for anything waits until killed, as with a hard mount.

The kernel sends each request to whoever holds /dev/fuse open; this one answers the first, with which a mount begins,
and none after it. The structures are those of linux/fuse.h.
"""

import contextlib
import ctypes
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

FUSE_INIT: Final = 26
VERSION: Final = (7, 31)
MNT_DETACH: Final = 2
REQUEST_BYTES: Final = 65536
HEADER: Final = struct.Struct("<IIQ")  # of a request: length, operation, number
ANSWER: Final = struct.Struct("<IiQ")  # of an answer: length, error, number
# major, minor, max_readahead, flags, max_background, congestion_threshold, max_write, time_gran, and what is left unset
INIT_ANSWER: Final = struct.Struct("<IIIIHHII32x")


@contextlib.contextmanager
def dead(folder: Path) -> Iterator[None]:
    """While this lasts, a dead file system lies over the folder; skips the test where nothing may be mounted."""
    kernel = ctypes.CDLL(None, use_errno=True)
    try:
        server = os.open("/dev/fuse", os.O_RDWR)
    except OSError as error:
        pytest.skip(f"no file system can be made dead here: {error}")
    try:
        options = f"fd={server},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
        if kernel.mount(b"dead", os.fsencode(folder), b"fuse", 0, options):
            pytest.skip(f"no file system can be made dead here: mount: {os.strerror(ctypes.get_errno())}")
        try:
            _begin(server)
            yield
        finally:
            kernel.umount2(os.fsencode(folder), MNT_DETACH)
    finally:
        os.close(server)  # what still waits gets an error


def _begin(server: int) -> None:
    _, operation, number = HEADER.unpack_from(os.read(server, REQUEST_BYTES))
    assert operation == FUSE_INIT
    answer = INIT_ANSWER.pack(*VERSION, REQUEST_BYTES, 0, 12, 10, REQUEST_BYTES, 1)
    os.write(server, ANSWER.pack(ANSWER.size + len(answer), 0, number) + answer)
