"""Counts documents whose own text holds a special token: it becomes that token's id, as if the trainer had put it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

UNKNOWN = "\U0010ffff"  # a code point that is never text, so what it becomes says nothing of special tokens


class Literals:
    """Counts over the batches of one unit; a document that goes on in the next batch is counted once."""

    def __init__(self, tokenizer: Tokenizer, end_of_text: int) -> None:
        unknown = set(tokenizer.encode(UNKNOWN, add_special_tokens=False).ids)
        added = tokenizer.get_added_tokens_decoder()
        wanted = {one for one, token in added.items() if token.special} - unknown | {end_of_text}
        self._wanted: NDArray[Any] = np.zeros(max(wanted) + 2, bool)  # by id; the last stands for all larger ones
        self._wanted[list(wanted)] = True
        self._end_of_text = end_of_text
        self._ends, self._others = _Seen(), _Seen()

    def places(self, ids: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Where special tokens stand in a batch's ids; batches may be looked at in any order."""
        return np.flatnonzero(self._wanted.take(ids, mode="clip"))

    def count(self, ids: NDArray[np.uint32], places: NDArray[np.int64], ends: NDArray[np.int64]) -> tuple[int, int]:
        """Documents first seen to hold an end of text, and another special token, in a batch, one batch after another.

        `ids` are those of the documents' texts, `places` those of special tokens in them, `ends` the places behind the
        documents that end in this batch.
        """
        documents = np.searchsorted(ends, places, side="right")
        is_end = ids[places] == self._end_of_text
        return self._ends.count(documents[is_end], len(ends)), self._others.count(documents[~is_end], len(ends))


class _Seen:
    def __init__(self) -> None:
        self._open = False  # the document that the last batch left open was counted

    def count(self, documents: NDArray[np.int64], ended: int) -> int:
        """How many of the batch's documents, by number, weren't counted before; number `ended` stays open."""
        seen = set(documents.tolist())
        new = len(seen) - (self._open and 0 in seen)
        self._open = ended in seen or (self._open and not ended)
        return new
