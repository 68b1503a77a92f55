"""Makes one shard with datatrove's ParquetReader and DocumentTokenizer."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from datatrove.pipeline.readers import ParquetReader
from datatrove.pipeline.tokens import DocumentTokenizer
from loguru import logger

from trainingrun_workers.tokenization.plan import Shard
from trainingrun_workers.tokenization.records import Counts, TokenFolder
from trainingrun_workers.tokenization.sources import readable
from trainingrun_workers.tokenization.vocabulary import Vocabulary

# A batch is all that is in memory, and all that a pod which is told to stop still waits for.
BATCH_DOCUMENTS: Final = 1000


OnDocument = Callable[[Counts], None]


def quieten() -> None:
    """Let datatrove's own logger say warnings only, where the stage's log goes."""
    logger.remove()
    logger.add(sys.stdout, level="WARNING", format="{time:YYYY-MM-DDTHH:mm:ss!UTC}Z datatrove {level} {message}")


class Engine:
    """datatrove with the tokenizer loaded: end of text after each document, nothing before it, nothing cut off."""

    def __init__(self, vocabulary: Vocabulary, tokenizer_name: str, token_bytes: int) -> None:
        self._name = tokenizer_name  # goes into .metadata
        self._token_bytes = token_bytes
        step = self._step(Path(), str(vocabulary.file), vocabulary.end_of_text)
        self.tokenizer = step.tokenizer
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()

    def make_shard(self, tokens: TokenFolder, shard: Shard, into: Path, on_document: OnDocument) -> Counts:
        """Write `into/<shard's name>` with its .index and .metadata; BadData names the input file that is corrupt.

        `.ds` holds little-endian ids, `.index` the cumulative ends of documents as uint64, `.metadata` the tokenizer,
        the bytes of an id and the number of tokens.
        """
        counts = Counts()
        step = self._step(into, self._name, tokens.vocabulary.end_of_text)
        step.tokenizer, step.token_size = self.tokenizer, self._token_bytes
        counts.tokens = len(step.write_unshuffled(_documents(tokens, shard, counts, on_document), shard.name))
        return counts

    @staticmethod
    def _step(folder: Path, tokenizer: str, end_of_text: str) -> Any:
        return DocumentTokenizer(
            output_folder=str(folder), tokenizer_name_or_path=tokenizer, eos_token=end_of_text,
            shuffle_documents=False, batch_size=BATCH_DOCUMENTS,
        )  # fmt: skip


def _documents(tokens: TokenFolder, shard: Shard, counts: Counts, on_document: OnDocument) -> Iterator[Any]:
    reader = ParquetReader(tokens.source.folder, text_key=tokens.spec.text_key, read_metadata=False)
    end_of_text = tokens.vocabulary.end_of_text
    for file in shard.files:
        reader.limit = -1 if shard.limit is None else shard.limit - counts.documents
        if reader.limit == 0:
            return
        iterator = reader.read_files_shard([file.path])
        while (document := readable(f"{tokens.spec.path}/{file.path}", lambda: next(iterator, None))) is not None:  # noqa: B023
            counts.documents += 1
            counts.text_bytes += len(document.text.encode())
            counts.documents_with_end_of_text += end_of_text in document.text
            on_document(counts)
            yield document
