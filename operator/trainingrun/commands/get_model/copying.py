"""Copies a released folder to this machine: goes on at the byte that it had, and ends with one rename.

What is there so far lies in `DEST.part` beside the folder that is to be made. Each file is checked against
checksums.sha256, and that file against the checksum which the release stage has left in the run's status.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Protocol

from trainingrun.commands.manifest import FAULTY, MISUSED, CommandError

CHECKSUMS: Final = "checksums.sha256"  # as the release stage writes it, and `sha256sum --check` reads it
LINE: Final = re.compile(r"([0-9a-f]{64}) [ *]([^/\0]+)")
CHUNK: Final = 2**20
TRIES: Final = 3  # in a row without a byte, until a connection is given up
HEADROOM: Final = 2**24  # bytes that have to stay free


class Reader(Protocol):
    """Reads from the volume."""

    def reading(self, *arguments: str) -> AbstractContextManager[IO[bytes]]:
        """The bytes that a command on the volume prints."""

    def document(self, *arguments: str) -> dict[str, Any]:
        """The JSON document that it prints."""

    def leave(self) -> None:
        """End the connection; the next reading makes another."""


@dataclass(frozen=True)
class Release:
    """A released model."""

    name: str
    folder: str  # on the volume
    sha256: str  # of its checksums.sha256


@dataclass
class Copy:
    """One copy of a release; `moved` is told the file, its bytes so far and its size."""

    reader: Reader
    release: Release
    target: Path
    moved: Callable[[str, int, int], None] = lambda name, have, size: None

    @property
    def part(self) -> Path:
        """Where the files are until all are there."""
        return self.target.with_name(f"{self.target.name}.part")

    def make(self) -> int:
        """Make the folder and yield its size in bytes; CommandError that names the file which stands in the way."""
        with refused_writes(self.part), _alone(self.part):
            return self._make()

    def _make(self) -> int:
        text = self._checksums()
        self._begin(text)
        sizes = {one["name"]: one["bytes"] for one in self.reader.document("files", self.release.folder)["files"]}
        files = self._listed(text, sizes)
        self._check_room(files)
        for name, (digest, size) in files.items():
            self._file(name, digest, size)
        for one in (*files, CHECKSUMS):
            _sync(self.part / one)
        if self.target.exists():
            self.target.rmdir()  # an empty folder of the user's
        self.part.rename(self.target)
        _sync(self.target.parent)
        return sum(size for _, size in files.values()) + len(text)

    def is_there(self) -> bool:
        """Whether the target is this release already, whole; CommandError where it is something else."""
        if not self.target.exists() or (self.target.is_dir() and not any(self.target.iterdir())):
            return False
        try:
            text = (self.target / CHECKSUMS).read_bytes()
        except OSError:
            text = b""
        if hashlib.sha256(text).hexdigest() == self.release.sha256 and not wrong(self.target, text.decode()):
            return True
        raise CommandError(f"{self.target} is there already and is something else: name a folder to make.", MISUSED)

    def _checksums(self) -> str:
        path = f"{self.release.folder}/{CHECKSUMS}"
        with self.reader.reading("send", path) as stream:
            data = stream.read()
        if hashlib.sha256(data).hexdigest() != self.release.sha256:
            raise CommandError(
                f"{path} on the volume is not the one that the release stage has left (its SHA-256 is in the run's "
                "status): it was changed since, so nothing can be checked against it.",
                FAULTY,
            )
        return data.decode()

    def _begin(self, text: str) -> None:
        """Keep what is there of this very release, and nothing of another."""
        file = self.part / CHECKSUMS
        if file.is_file() and file.read_text() != text:
            for one in self.part.iterdir():
                one.unlink()
        file.write_text(text)

    def _listed(self, text: str, sizes: dict[str, int]) -> dict[str, tuple[str, int]]:
        """Digest and size of each file by its name, the small ones first."""
        found = {}
        for name, digest in entries(text):
            if name not in sizes:
                raise CommandError(f"{name} of {self.release.name} is missing on the volume in {self.release.folder}.")
            found[name] = (digest, sizes[name])
        return dict(sorted(found.items(), key=lambda one: (one[1][1], one[0])))

    def _check_room(self, files: dict[str, tuple[str, int]]) -> None:
        missing = sum(max(size - _size(self.part / name), 0) for name, (_, size) in files.items())
        free = shutil.disk_usage(self.part).free
        if missing + HEADROOM > free:
            raise CommandError(
                f"There is no room for {self.release.name} in {self.target.parent}: {missing:,} bytes are to come and "
                f"{free:,} are free."
            )

    def _file(self, name: str, digest: str, size: int) -> None:
        """A whole file with the right content; what is damaged is fetched once more from its beginning."""
        path = self.part / name
        for last in (False, True):
            if _size(path) > size:
                path.unlink()
            self._fetch(name, size)
            if digest_of(path) == digest:
                return
            path.unlink()
            if last:
                raise CommandError(
                    f"{name} of {self.release.name} arrived twice with a checksum other than the release's: it is "
                    "damaged on the volume, so make the release again."
                )

    def _fetch(self, name: str, size: int) -> None:
        """Go on with a file until it has its size."""
        path, idle = self.part / name, 0
        path.touch()
        while (have := _size(path)) < size:
            self.moved(name, have, size)
            try:
                self._append(name, have, size)
            except CommandError as error:
                idle = 0 if _size(path) > have else idle + 1
                if idle:  # the pod may be gone; where it gave something, it is asked again
                    self.reader.leave()
                if idle >= TRIES:
                    raise CommandError(
                        f"{name} was cut off at byte {_size(path):,} of {size:,}. {error} The same command goes on "
                        "from there.",
                        error.code,
                    ) from error
            else:
                idle = 0 if _size(path) > have else idle + 1
                if idle >= TRIES:
                    raise CommandError(f"{name} ends at byte {have:,} of {size:,}: the volume gives no more of it.")
        self.moved(name, size, size)

    def _append(self, name: str, have: int, size: int) -> None:
        source = f"{self.release.folder}/{name}"
        with (
            (self.part / name).open("ab") as file,
            self.reader.reading("send", source, "--offset", str(have)) as stream,
        ):
            while data := stream.read(CHUNK):
                file.write(data)
                have += len(data)
                self.moved(name, have, size)


def entries(text: str) -> Iterator[tuple[str, str]]:
    """Name and digest of each line of checksums.sha256; CommandError for a name that leads out of the folder."""
    for line in text.splitlines():
        found = LINE.fullmatch(line)
        if not found or found[2] in (".", "..", CHECKSUMS):
            raise CommandError(f"{CHECKSUMS} has a line that is none: {line[:100]!r}.")
        yield found[2], found[1]


def wrong(folder: Path, text: str) -> list[str]:
    """The files of a folder that are missing or have another checksum."""
    return [name for name, digest in entries(text) if digest_of(folder / name) != digest]


def digest_of(file: Path) -> str | None:
    """A file's SHA-256; None where it isn't there."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        return None


@contextmanager
def refused_writes(part: Path) -> Iterator[None]:
    """What this machine's disk refuses, as a sentence."""
    try:
        yield
    except OSError as error:
        where = error.filename or part
        raise CommandError(
            f"{where} can't be written: {error.strerror}. What has arrived stays in {part}, and the same command goes "
            "on from there.",
            MISUSED,
        ) from error


@contextmanager
def _alone(part: Path) -> Iterator[None]:
    """The folder, made where it is missing, while no other command copies into it."""
    part.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(part, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise CommandError(f"Another command is copying into {part}: wait for it.", MISUSED) from error
    finally:
        os.close(descriptor)
        with suppress(OSError):
            part.rmdir()  # where nothing has arrived


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
