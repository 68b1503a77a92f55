"""A file of JSON lines that grows: what has been added is there after any death, and is found again by its key."""

import hashlib
import json
import logging
import os
from pathlib import Path
from typing import Any

from trainingrun_workers.volume import FILE_MODE, sync_folder

LOGGER = logging.getLogger(__name__)
Record = dict[str, Any]


def key_of(*parts: Any) -> str:
    """A short name for all that a record depends on."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]


class Journal:
    """Records by their `key`, each on the disk once `add` has returned; for one thread."""

    def __init__(self, path: Path) -> None:
        """Read what is there. A last line that was torn is cut off, any other that can't be read is left aside."""
        self._path = path
        self._records: dict[str, Record] = {}
        is_new = not path.exists()
        self._file = path.open("ab")
        if is_new:
            os.fchmod(self._file.fileno(), FILE_MODE)
            sync_folder(path.parent)
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            self._file.truncate(whole)
        for line in content[:whole].splitlines():
            self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            record = json.loads(line)
            self._records[record["key"]] = record
        except (ValueError, KeyError, TypeError):
            LOGGER.warning("A line of %s can't be read: what it was about is done again.", self._path)

    def get(self, key: str) -> Record | None:
        """The record of a key, or None."""
        return self._records.get(key)

    def add(self, record: Record) -> None:
        """Write a record, which has a `key`, behind the others."""
        self._file.write(json.dumps(record).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._records[record["key"]] = record

    def close(self) -> None:
        """Close the file."""
        self._file.close()
