"""Windows of tokens out of a finished token folder, read from the disk one by one.

The folder is a tokenize stage's: `*.ds` files of little-endian unsigned token ids of `token_bytes` bytes each (the
format of datatrove's DocumentTokenizer) and a marker that says how many tokens they hold.
"""

import bisect
import functools
import itertools
import os
from pathlib import Path
from typing import Final

from trainingrun_workers.errors import BadData
from trainingrun_workers.volume import read_marker

_OPEN_FILES: Final = 128


class TokenFolder:
    """The windows of `sequence_length` + 1 tokens of a folder's files, in the order of their names.

    Neighbours share one token, so that each token but a file's first is predicted once; a file's tail that fills no
    window is left out, and `left_out` says how many tokens these are.
    """

    def __init__(self, folder: Path, token_bytes: int, sequence_length: int) -> None:
        self.folder = folder
        self._stride = sequence_length * token_bytes
        self._bytes = self._stride + token_bytes
        self._token_bytes = token_bytes
        files = sorted(folder.glob("*.ds"))
        sizes = [path.stat().st_size for path in files]
        self.tokens = sum(sizes) // token_bytes
        self._check(sizes, token_bytes)
        self._files = files
        counts = [max(size - token_bytes, 0) // self._stride for size in sizes]
        self._starts = list(itertools.accumulate(counts, initial=0))
        self.left_out = self.tokens - sum(count * sequence_length + 1 for count in counts if count)
        if not self.windows:
            raise BadData(
                "TooFewTokens",
                f"The {self.tokens} tokens in {folder} fill no sequence of {sequence_length}: "
                "add data to this source or shorten the sequence.",
            )
        self._open = functools.lru_cache(_OPEN_FILES)(_Opened)

    @property
    def windows(self) -> int:
        """How many windows there are."""
        return self._starts[-1]

    def window(self, index: int) -> bytes:
        """The bytes of a window; BadData when the file has become shorter."""
        file = bisect.bisect_right(self._starts, index) - 1
        path = self._files[file]
        data = os.pread(self._open(path).number, self._bytes, (index - self._starts[file]) * self._stride)
        if len(data) != self._bytes:
            raise BadData("TokensTorn", f"The token file {path} is shorter than it was: tokenize the source again.")
        return data

    def last_token(self) -> int:
        """The id that ends the last document of the first file that has any: the tokenizer's end of text."""
        path = next(one for one in self._files if one.stat().st_size)
        with path.open("rb") as file:
            file.seek(-self._token_bytes, os.SEEK_END)
            return int.from_bytes(file.read(), "little")

    def _check(self, sizes: list[int], token_bytes: int) -> None:
        marker = read_marker(self.folder)
        if marker is None:
            raise BadData(
                "TokensMissing", f"The token folder {self.folder} is not complete: the tokenize stage has to finish."
            )
        said = marker.get("tokens")
        if any(size % token_bytes for size in sizes) or (said is not None and said != self.tokens):
            raise BadData(
                "TokensTorn",
                f"The files in {self.folder} hold {self.tokens} tokens of {token_bytes} bytes but its marker says "
                f"{said}: tokenize the source again.",
            )


class _Opened:
    """A file's descriptor, closed when nobody holds it any more."""

    def __init__(self, path: Path) -> None:
        self.number = os.open(path, os.O_RDONLY)

    def __del__(self) -> None:
        os.close(self.number)
