"""How many tokens and bytes a source will give: from its files' metadata and a sample of its text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import pyarrow.parquet as pq

from trainingrun_workers.errors import BadConfig
from trainingrun_workers.tokenization.plan import Shard
from trainingrun_workers.tokenization.sources import Source, readable

SAMPLED_FILES: Final = 8
SAMPLED_DOCUMENTS: Final = 64  # of each of those files
SAMPLED_CHARACTERS: Final = 8_000  # of each of those documents
INDEX_BYTES: Final = 8  # an entry of datatrove's .index, one a document
TOKENS_PER_BYTE: Final = 0.3  # where a sample has no text at all


@dataclass(frozen=True)
class Estimate:
    """What a source, or a part of it, is expected to give."""

    tokens: int
    size: int  # bytes of its .ds and .index


def estimate(shards: Sequence[Shard], tokens_per_byte: float, token_bytes: int) -> Estimate:
    """The expectation of some shards: the sampled density over all their text, and one end of text a document."""
    rows = sum(one.rows for one in shards)
    tokens = round(sum(one.text_bytes for one in shards) * tokens_per_byte) + rows
    return Estimate(tokens, tokens * token_bytes + rows * INDEX_BYTES)


def sampled_density(source: Source, shards: Sequence[Shard], tokenizer: Any) -> float:
    """Tokens a byte of UTF-8 text, in the first documents of some files spread over the source."""
    paths = [one.path for shard in shards for one in shard.files if one.rows]
    step = max(1, len(paths) // SAMPLED_FILES)
    texts = [text for path in paths[::step][:SAMPLED_FILES] for text in _sample(source, path)]
    size = sum(len(text.encode()) for text in texts)
    if not size:
        return TOKENS_PER_BYTE
    return sum(len(one.ids) for one in tokenizer.encode_batch(texts, add_special_tokens=False)) / size


def _sample(source: Source, path: str) -> list[str]:
    def read() -> list[str]:
        with source.folder.open(path, "rb") as file, pq.ParquetFile(file) as parquet:
            return list(islice(_texts(parquet, source.text_key), SAMPLED_DOCUMENTS))

    return readable(f"{source.path}/{path}", read)


def _texts(parquet: Any, text_key: str) -> Iterator[str]:
    for batch in parquet.iter_batches(batch_size=SAMPLED_DOCUMENTS, columns=[text_key]):
        yield from (text[:SAMPLED_CHARACTERS] for text in batch.column(0).to_pylist() if text)


def check_room(whole: int, left: int, claim_bytes: int | None, free_bytes: int) -> None:
    """BadConfig where `whole` bytes don't fit the claim, or the `left` of them don't fit what is free on the volume."""
    mend = "use a larger claim, fewer documents (limit) or fewer sources"
    if claim_bytes is not None and whole > claim_bytes:
        raise BadConfig(
            "ClaimTooSmall",
            f"The tokens will take about {in_words(whole)}, but the whole claim has {in_words(claim_bytes)}: {mend}.",
        )
    if left > free_bytes:
        raise BadConfig(
            "ClaimTooSmall",
            f"The tokens still to be made will take about {in_words(left)}, but only {in_words(free_bytes)} are free "
            f"on the volume: make room, or {mend}.",
        )


def in_words(size: float) -> str:
    """A number of bytes with a unit that fits it: 1.5 GB."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.4g} TB"
