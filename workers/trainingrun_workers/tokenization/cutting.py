"""Cuts Arrow arrays of texts into batches of about a megabyte, and large documents where that changes no id.

A document goes to the encoder in parts so that memory stays bounded. A cut is made only where the tokenizer breaks
words whatever stands around: at a change of the kind of character (word, space, number, sign) that its pre-tokenizer
makes a boundary from every place it starts at nearby, and where the ids of both sides are those of the whole. A
tokenizer without pre-tokenizer has no such place, nor has a word of many megabytes.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
from tokenizers import Tokenizer

from trainingrun_workers.errors import BadData

PART_BYTES: Final = 1 << 20  # of text encoded at a time
LARGEST_PART: Final = 4 << 20  # of text without a place to cut
WINDOW_BYTES: Final = 4096  # of text looked at around a cut
SHIFTS: Final = (0, 1, 2, 3, 4, 5, 7, 11)  # characters; a run that is grouped by a fixed number has no common boundary
WINDOWS: Final = 32  # looked through before a part is let grow


@dataclass
class Batch:
    """Texts to encode together."""

    texts: list[str] = field(default_factory=list)
    first: list[bool] = field(default_factory=list)  # a text begins its document
    last: list[bool] = field(default_factory=list)  # a text ends its document
    text_bytes: int = 0

    @property
    def documents(self) -> int:
        """Documents that end in this batch."""
        return sum(self.last)

    def add(self, text: str, size: int, first: bool, last: bool) -> None:
        """Append a text of `size` bytes."""
        self.texts.append(text)
        self.first.append(first)
        self.last.append(last)
        self.text_bytes += size


def batches(texts: Iterator[Any], cutter: "Cutter", name: str) -> Iterator[Batch]:
    """Batches of about PART_BYTES of the arrays' texts, in order; BadData where a document can't be cut."""
    batch, documents = Batch(), 0
    for array in texts:
        for document in _views(array):
            documents += 1
            begin = 0
            for end in cutter.cuts(document, f"document {documents:,} of {name}"):
                batch.add(str(document[begin:end], "utf-8"), end - begin, begin == 0, end == len(document))
                begin = end
                if batch.text_bytes >= PART_BYTES:
                    yield batch
                    batch = Batch()
    if batch.texts:
        yield batch


def _views(array: Any) -> Iterator[memoryview]:
    """The UTF-8 of each text of an Arrow array of type large_string without nulls; nothing is copied."""
    if array.type != pa.large_string():
        array = array.cast(pa.large_string())
    _, places, content = array.buffers()
    ends = np.frombuffer(places, np.int64)[array.offset : array.offset + len(array) + 1].tolist()
    whole = memoryview(content) if content is not None else memoryview(b"")
    for begin, end in zip(ends, ends[1:], strict=False):
        yield whole[begin:end]


class Cutter:
    """Finds places where a text may be cut into parts without changing an id."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def cuts(self, text: memoryview, what: str) -> Iterator[int]:
        """The ends of the text's parts, in bytes; a text of up to PART_BYTES is one part."""
        begin = 0
        while len(text) - begin > PART_BYTES:
            begin = self._cut(text, begin, what)
            yield begin
        if begin < len(text) or not text:
            yield len(text)

    def _cut(self, text: memoryview, begin: int, what: str) -> int:
        for size in range(PART_BYTES, LARGEST_PART + 1, PART_BYTES):
            if len(text) - begin <= size:
                return len(text)
            for number in range(WINDOWS):
                cut = self._cut_in_window(text, begin + size - (number + 1) * WINDOW_BYTES)
                if cut is not None:
                    return cut
        raise BadData(
            "DocumentTooLarge",
            f"There are more than {LARGEST_PART >> 20} MiB of text in {what} without a place where this tokenizer "
            "surely breaks words, too much for the memory of a pod: take that document away or cut it up.",
        )

    def _cut_in_window(self, text: memoryview, begin: int) -> int | None:
        first, end = _whole_characters(text, begin, begin + WINDOW_BYTES)
        window = str(text[first:end], "utf-8")
        place = self._place(window)
        return None if place is None else first + len(window[:place].encode())

    def _place(self, window: str) -> int | None:
        """A character's place in the window's middle half before which a cut changes no id."""
        splitter = self._tokenizer.pre_tokenizer
        if splitter is None:
            return None
        places = set(range(len(window) // 4, len(window) * 3 // 4))
        for shift in SHIFTS:
            places &= {start + shift for _, (start, _) in splitter.pre_tokenize_str(window[shift:])}
        whole = self._ids(window)
        kinds = (at for at in sorted(places, reverse=True) if _kind(window[at - 1]) != _kind(window[at]))
        tried = (at for at, _ in zip(kinds, range(8), strict=False))
        return next((at for at in tried if self._ids(window[:at]) + self._ids(window[at:]) == whole), None)

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids


def _kind(character: str) -> str:
    return " " if character.isspace() else unicodedata.category(character)[0]


def _whole_characters(text: memoryview, begin: int, end: int) -> tuple[int, int]:
    while begin < end and text[begin] & 0xC0 == 0x80:
        begin += 1
    while end < len(text) and text[end] & 0xC0 == 0x80:
        end -= 1
    return begin, end
