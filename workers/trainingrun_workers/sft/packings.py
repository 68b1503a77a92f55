"""Which conversations go into which packed sequence, kept on the volume: worked out once, without a GPU.

To pack is a function of the lengths in their order and of four numbers, and a packing lies under a hash of just these:
so none can be taken for another's, and what is taken is what would have been worked out. Where there is none, or a
damaged one, the caller packs.
"""

import hashlib
import json
import logging
from array import array
from collections.abc import Callable
from itertools import accumulate, chain, pairwise
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.volume import sync_file, sync_folder

Packed = list[list[int]]  # for each sequence, the places of its conversations in the order that was packed

LOGGER: Final = logging.getLogger(__name__)
_DEPENDS: Final = ("bin_capacity", "group_size", "bin_size", "safe_mode")
_INTEGER: Final = "i"  # of four bytes
_DIGEST: Final = 32  # bytes of SHA-256, of all that follows it


class Packings:
    """A folder of packings: a checksum, how many sequences there are, the length of each, then all places in turn."""

    def __init__(self, folder: Path, keeps: bool) -> None:
        """`keeps` what is packed; without it packings are only taken."""
        self._folder = folder
        self._keeps = keeps

    def around(self, pack: Callable[..., Packed]) -> Callable[..., Packed]:
        """Axolotl's `pack_parallel`, which is asked where nothing is kept; it is given a buffer of the lengths."""

        def kept_or_packed(lengths: Any, **given: Any) -> Packed:
            path = self._folder / _key(lengths, given)
            kept = _read(path)
            if kept is not None:
                return kept
            LOGGER.info("packing %d rows into sequences of %d tokens", len(lengths), given["bin_capacity"])
            packed = pack(lengths, **given)
            if self._keeps:
                self._write(path, packed)
            return packed

        return kept_or_packed

    def _write(self, path: Path, packed: Packed) -> None:
        self._folder.mkdir(exist_ok=True)  # and not its parents: they are gone where another attempt took over
        numbers = chain((len(packed),), map(len, packed), chain.from_iterable(packed))
        content = array(_INTEGER, numbers).tobytes()
        made = path.with_suffix(".tmp")
        made.write_bytes(hashlib.sha256(content).digest() + content)
        sync_file(made)
        made.rename(path)
        sync_folder(self._folder)


def _read(path: Path) -> Packed | None:
    if not path.is_file():
        return None
    written = memoryview(path.read_bytes())
    if hashlib.sha256(written[_DIGEST:]).digest() != written[:_DIGEST]:
        LOGGER.warning("%s is damaged: it is packed again", path)
        return None
    count, *numbers = array(_INTEGER, written[_DIGEST:].tobytes()).tolist()
    ends = accumulate(numbers[:count], initial=count)
    return [numbers[begin:end] for begin, end in pairwise(ends)]


def _key(lengths: Any, given: dict[str, Any]) -> str:
    view = memoryview(lengths)
    depends = {**{name: given[name] for name in _DEPENDS}, "format": view.format}
    return hashlib.sha256(json.dumps(depends, sort_keys=True).encode() + view.tobytes()).hexdigest()[:32]
