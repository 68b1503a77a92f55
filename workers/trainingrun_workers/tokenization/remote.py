"""Files at hf:// and s3:// addresses: listed, looked at and opened as if they lay in a folder.

`opened(place)` yields a `RemoteFolder`, which has of datatrove's DataFolder what the sources use: `list_files`, `info`
and `open`. Whatever goes wrong comes as a StageError of one sentence, also while a file is being read; what the errors
are, `remote_errors` tells. sources.py opens every address that has :// in it with `opened` and needs nothing else of
this module; a RemoteFolder is no DataFolder, so datatrove's own readers don't take it.

s3:// takes AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and AWS_REGION, and else what
the AWS libraries find by themselves, such as a service account's role; hf:// takes HF_ENDPOINT and HF_TOKEN.
"""

import io
import os
import re
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from trainingrun_workers.errors import BadConfig, Retry
from trainingrun_workers.tokenization.remote_errors import explained

AHEAD_BYTES: Final = 4 << 20  # fetched at once where little is asked for: each request to a store takes its time
TRIES: Final = 5  # of a request, with growing waits, before the pod gives up and another one is started
CONNECT_SECONDS: Final = 10.0


class RemoteFile(io.RawIOBase):
    """A file of a store, read only; small reads are served out of AHEAD_BYTES that were fetched at once."""

    def __init__(self, file: Any, size: int, what: str) -> None:
        self._file, self._size, self._what = file, size, what
        self._place = 0
        self._kept, self._kept_from = b"", 0

    def readable(self) -> bool:  # noqa: D102 - as io.IOBase has it
        return True

    def seekable(self) -> bool:  # noqa: D102
        return True

    def size(self) -> int:
        """Bytes of the whole file."""
        return self._size

    def tell(self) -> int:  # noqa: D102
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:  # noqa: D102
        self._place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        return self._place

    def read(self, size: int | None = -1, /) -> bytes:
        """The next `size` bytes, fewer only at the end of the file; all that is left where no size is given."""
        left = max(0, self._size - self._place)
        wanted = left if size is None or size < 0 else min(size, left)
        start = self._place - self._kept_from
        if not 0 <= start <= start + wanted <= len(self._kept):
            self._kept, self._kept_from, start = self._fetch(max(wanted, min(left, AHEAD_BYTES))), self._place, 0
        data = self._kept if start == 0 and wanted == len(self._kept) else self._kept[start : start + wanted]
        if wanted > AHEAD_BYTES:  # who reads that much goes on behind it: keeping it would only take memory
            self._kept = b""
        self._place += len(data)
        return data

    def readinto(self, buffer: Any, /) -> int:  # noqa: D102
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:  # noqa: D102
        if not self.closed:
            self._file.close()
        super().close()

    def _fetch(self, size: int) -> bytes:
        if not size:
            return b""
        with explained(self._what):
            self._file.seek(self._place)
            data = bytes(self._file.read(size))
        if len(data) < size:
            raise Retry(
                "SourceUnreachable",
                f"{self._what} ended after {self._place + len(data):,} of {self._size:,} bytes: the stage goes on from "
                "its last finished token file by itself.",
            )
        return data


class Store(Protocol):
    """One place of a kind of store. Paths are relative to the place; a place that is a file has the path ""."""

    def infos(self) -> dict[str, dict[str, Any]]:
        """What `info` says of every file at the place, by path, in as few requests as can be."""

    def open(self, path: str) -> tuple[Any, int]:
        """A seekable binary file, and how many bytes it has."""

    def info(self, path: str) -> dict[str, Any]:
        """At least name and size in bytes, and one of mtime and blob_id, which change when the file does; as of now."""


@dataclass(frozen=True)
class RemoteFolder:
    """A folder at an address."""

    place: str
    store: Store
    _listed: dict[str, dict[str, Any]] = field(default_factory=dict)  # what a listing said of files, until asked for

    def list_files(
        self, subdirectory: str = "", recursive: bool = True, glob_pattern: str | None = None
    ) -> list[str]:  # the arguments of datatrove's
        """Paths of the files that match the pattern, relative to the place, sorted."""
        from fsspec.utils import glob_translate

        before = f"{subdirectory.strip('/')}/" if subdirectory else ""
        matches = re.compile(glob_translate(before + (glob_pattern or ("**" if recursive else "*"))))
        with explained(repr(self.place)):
            found = {path: info for path, info in self.store.infos().items() if matches.match(path)}
        self._listed.update(found)
        return sorted(found)

    def info(self, path: str) -> dict[str, Any]:
        """Name and size in bytes of a file as it is now, and mtime or blob_id, which change when it is written.

        The first time after a file was listed, as it was then: a request for each of thousands of files takes minutes.
        """
        if (listed := self._listed.pop(path, None)) is not None:
            return listed
        with explained(self._name(path)):
            return self.store.info(path)

    def open(self, path: str, mode: str = "rb") -> RemoteFile:
        """The file, to be read as bytes."""
        if mode != "rb":
            raise ValueError(f"{self._name(path)} can only be opened to be read as bytes, not as {mode!r}")
        with explained(self._name(path)):
            return RemoteFile(*self.store.open(path), self._name(path))

    def _name(self, path: str) -> str:
        return repr(f"{self.place.rstrip('/')}/{path}")


def opened(place: str) -> RemoteFolder:
    """The folder at an hf:// or s3:// address; nothing is asked of the network yet, but of a bucket's region."""
    kind, _, inside = place.partition("://")
    if kind not in STORES:
        raise BadConfig(
            "AddressUnsupported",
            f"There is no way to read {place!r}: use an address with {' or '.join(f'{one}://' for one in STORES)}, or "
            "copy the data onto the volume.",
        )
    with explained(repr(place)):
        return RemoteFolder(place, STORES[kind](inside.rstrip("/")))


class S3:
    """Objects of a bucket below a prefix."""

    def __init__(self, inside: str) -> None:
        from pyarrow import fs

        self._bucket = inside.partition("/")[0]
        if not self._bucket:
            raise ValueError("an s3:// address names a bucket: s3://BUCKET/FOLDER")
        self._root = inside
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        if not region:
            region = "us-east-1" if endpoint else fs.resolve_s3_region(self._bucket)
        self._system = fs.S3FileSystem(
            region=region, endpoint_override=endpoint, connect_timeout=CONNECT_SECONDS,
            retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=TRIES),
        )  # fmt: skip

    def infos(self) -> dict[str, dict[str, Any]]:
        """As Store has it; one request for a thousand objects."""
        from pyarrow import fs

        found = self._system.get_file_info(fs.FileSelector(self._root, recursive=True))
        skipped = len(self._root) + 1
        return {one.path[skipped:]: _info(one) for one in found if one.type == fs.FileType.File}

    def open(self, path: str) -> tuple[Any, int]:
        """As Store has it."""
        file = self._system.open_input_file(f"{self._root}/{path}")
        return file, file.size()

    def info(self, path: str) -> dict[str, Any]:
        """As Store has it."""
        from pyarrow import fs

        one = self._system.get_file_info(f"{self._root}/{path}")
        if one.type != fs.FileType.File:
            raise FileNotFoundError(path)
        return _info(one)


def _info(one: Any) -> dict[str, Any]:
    """Of one object; listings may tell its time to the millisecond, and requests for it to the second."""
    return {"name": one.path, "size": one.size, "mtime": one.mtime.replace(microsecond=0)}


_REPOSITORY: Final = re.compile(
    r"((datasets|spaces|buckets|models)/)?(?!(datasets|spaces|buckets|models)/)[^/]+/[^/]+(/.*)?"
)


class Hub:
    """Files of a repository of the Hugging Face hub below a folder, at the revision the address names."""

    def __init__(self, inside: str) -> None:
        from huggingface_hub import HfFileSystem

        if not _REPOSITORY.fullmatch(inside):
            raise ValueError("an hf:// address names a repository: hf://datasets/OWNER/NAME/FOLDER")
        self._inside = inside
        self._system = HfFileSystem(endpoint=os.environ.get("HF_ENDPOINT"), token=os.environ.get("HF_TOKEN"))

    def infos(self) -> dict[str, dict[str, Any]]:
        """As Store has it."""
        root = self._system.resolve_path(self._inside).unresolve()
        found = self._system.find(self._inside, detail=True, refresh=True, expand_info=False)
        return {name[len(root) + 1 :]: one for name, one in found.items()}

    def open(self, path: str) -> tuple[Any, int]:
        """As Store has it; what is read ahead is RemoteFile's to say."""
        file = self._system.open(f"{self._inside}/{path}", "rb", cache_type="none")
        return file, int(file.size)

    def info(self, path: str) -> dict[str, Any]:
        """As Store has it."""
        found: dict[str, Any] = self._system.info(f"{self._inside}/{path}", refresh=True, expand_info=False)
        return found


STORES: Final[dict[str, type[S3] | type[Hub]]] = {"s3": S3, "hf": Hub}
