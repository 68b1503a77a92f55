"""Makes token files: fastokens does the work where it gives the tokenizers library's ids, else that library."""

import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from loguru import logger
from numpy.typing import NDArray

from trainingrun_workers.errors import BadConfig, BadData
from trainingrun_workers.tokenization.ahead import Asked, DoneAhead
from trainingrun_workers.tokenization.counts import Counts
from trainingrun_workers.tokenization.cutting import Batch, Cutter, batches
from trainingrun_workers.tokenization.encoders import (
    ENCODER_ERRORS,
    Encoded,
    Encoder,
    Fast,
    Reference,
    use_one_thread,
)
from trainingrun_workers.tokenization.literals import Literals
from trainingrun_workers.tokenization.parity import difference, difference_in, probes
from trainingrun_workers.tokenization.vocabulary import Vocabulary
from trainingrun_workers.tokenization.writing import Tokens, TokenWriter, with_ends

LOGGER: Final = logging.getLogger(__name__)
CHECKED_DOCUMENTS: Final = 1000  # one in so many, and a unit's first, is encoded by both
TYPES: Final = {2: "<u2", 4: "<u4"}

OnBatch = Callable[[Counts], None]


class Remake(Exception):  # noqa: N818 - says what to do
    """A document of this unit got other ids than it should; the engine has fallen back: make the unit again."""


def quieten() -> None:
    """Let datatrove's own logger say warnings only, where the stage's log goes."""
    logger.remove()
    logger.add(sys.stdout, level="WARNING", format="{time:YYYY-MM-DDTHH:mm:ss!UTC}Z datatrove {level} {message}")


class Engine:
    """A tokenizer, loaded: end of text after each document, nothing before it, nothing cut off.

    `tokenizer` is the tokenizers library's. `name` is the library that does the work, with its version. `fallback` is
    the sentence that says why that isn't fastokens; "" where it is. `threads` encode at a time.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        tokenizer_name: str,
        token_bytes: int,
        load_fast: Callable[[Path], Encoder] = Fast,
        threads: int = 1,
    ) -> None:
        use_one_thread()
        self._tokenizer_name = tokenizer_name  # goes into .metadata
        self._token_bytes = token_bytes
        self.tokenizer = vocabulary.tokenizer
        self.fallback = ""
        self._reference = Reference(self.tokenizer)
        self._encoder: Encoder = self._reference
        self._ahead: DoneAhead[_Made] = DoneAhead(threads)
        self._cutter = Cutter(self.tokenizer)
        self._begin(load_fast, vocabulary.file)

    @property
    def name(self) -> str:
        """The library that does the work, with its version."""
        return self._encoder.name

    def make_unit(
        self,
        texts: Iterator[Any],
        end_of_text: str,
        into: Path,
        name: str,
        counts: Counts,
        on_batch: OnBatch,
    ) -> Counts:
        """Write `into/<name>` with its .index and .metadata out of Arrow arrays of texts, and count what went in.

        `.ds` holds little-endian ids, `.index` the cumulative ends of documents as uint64, `.metadata` the tokenizer,
        the bytes of an id and the number of tokens. Remake: read the texts again and call once more. BadData: a
        document is too large to be held. BadConfig: an id doesn't fit `token_bytes`.
        """
        end: Any = self.tokenizer.token_to_id(end_of_text)  # in the vocabulary, as read_vocabulary has seen
        self._check_range(end)
        literals = Literals(self.tokenizer, end)
        ahead = self._ahead.done(batches(texts, self._cutter, name), partial(self._make, literals, self._encoder))
        tokens = (self._tokens(one, self._made(asked, counts), end, literals, counts, on_batch) for one, asked in ahead)
        TokenWriter(str(into), self._tokenizer_name, self._token_bytes).write_unshuffled(tokens, name)
        return counts

    def _begin(self, load_fast: Callable[[Path], Encoder], file: Path) -> None:
        tried = probes(self.tokenizer)
        expected = self._reference.encode(tried)  # before fastokens is there, which may be loading meanwhile
        try:
            fast = load_fast(file)
        except ENCODER_ERRORS as error:
            self._fall_back(f"fastokens can't load this tokenizer ({_in_short(error)}).")
            return
        found = difference(fast, self._reference, tried, expected)
        if found:
            self._fall_back(found)
            return
        self._encoder = fast

    def _fall_back(self, why: str) -> None:
        self._encoder = self._reference
        self.fallback = f"{why} So {self._reference.name} does the work: the same tokens, some twenty times slower."
        LOGGER.warning("%s", self.fallback)

    def _make(self, literals: Literals, encoder: Encoder, batch: Batch, documents: int) -> "_Made":
        """What is done apart from the batches before; one of ENCODER_ERRORS where either library can't."""
        encoded = encoder.encode(batch.texts)
        wrong = None if encoder is self._reference else self._wrong(batch, encoded, documents)
        return _Made(encoded, literals.places(encoded.ids), int(encoded.ids.max(initial=0)), wrong)

    def _wrong(self, batch: Batch, encoded: Encoded, documents: int) -> str | None:
        """The first text whose ids aren't the reference's, among those that are looked at."""
        begin = 0
        for text, first, last, end in zip(batch.texts, batch.first, batch.last, encoded.ends.tolist(), strict=True):
            if first and documents % CHECKED_DOCUMENTS == 0:
                if not np.array_equal(encoded.ids[begin:end], self._reference.encode([text]).ids):
                    return text
            documents, begin = documents + last, end
        return None

    def _made(self, asked: Asked["_Made"], counts: Counts) -> "_Made":
        """A batch's ids; Remake where they aren't the reference's, in the documents that are looked at."""
        try:
            made = asked()
        except ENCODER_ERRORS as error:
            if self._encoder is self._reference:
                raise self._unusable(counts, error) from error
            self._fall_back(f"{self.name} can't encode a text ({_in_short(error)}).")
            raise Remake from error
        if made.wrong is not None:
            self._fall_back(difference_in(made.wrong, self._encoder, self._reference))
            raise Remake
        self._check_range(made.largest)
        return made

    def _tokens(
        self, batch: Batch, made: "_Made", end: int, literals: Literals, counts: Counts, on_batch: OnBatch
    ) -> Tokens:
        ids, ends = made.encoded.ids, made.encoded.ends[np.asarray(batch.last)]
        with_end, with_special = literals.count(ids, made.literals, ends)
        tokens = with_ends(ids, ends, end, TYPES[self._token_bytes])
        counts.tokens += len(tokens.ids)
        counts.documents += len(ends)
        counts.text_bytes += batch.text_bytes
        counts.documents_with_end_of_text += with_end
        counts.special_tokens += with_special
        on_batch(counts)
        return tokens

    def _unusable(self, counts: Counts, error: Exception) -> BadData:
        return BadData(
            "TextUnusable",
            f"{self._reference.name} can't encode one of the documents behind the first {counts.documents:,} of a "
            f"token file ({_in_short(error)}): take it away.",
        )

    def _check_range(self, number: int) -> None:
        if number >= 1 << 8 * self._token_bytes:
            raise BadConfig(
                "VocabularyTooLarge",
                f"The tokenizer {self._tokenizer_name!r} gives the id {number:,}, which {self._token_bytes} bytes "
                "can't hold: raise the model's vocab_size or use a smaller tokenizer.",
            )


@dataclass(frozen=True)
class _Made:
    """A batch's ids and what was looked up in them."""

    encoded: Encoded
    literals: NDArray[np.int64]  # places of special tokens in the ids
    largest: int  # id
    wrong: str | None  # a text that got other ids than by the reference


def _in_short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
