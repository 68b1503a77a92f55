"""What a source will give and cost: its files' metadata, and a part of its text tokenized as the stage does it.

The part is spread evenly over the source and is the same one each time: row groups of parquet, ranges of jsonl, whole
files where they are compressed. What was found there, by byte of the text that the metadata promise, is taken for all.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from trainingrun_workers.contract import TokenizeSpec
from trainingrun_workers.tokenization.counts import Counts
from trainingrun_workers.tokenization.engine import Engine, Remake
from trainingrun_workers.tokenization.plan import Piece, Unit, plan_units
from trainingrun_workers.tokenization.reading import texts
from trainingrun_workers.tokenization.sample import MOST_BYTES, sampled
from trainingrun_workers.tokenization.sources import Source, inspect_source, list_source
from trainingrun_workers.tokenization.vocabulary import read_vocabulary
from trainingrun_workers.volume import Volume

INDEX_BYTES: Final = 8  # an entry of datatrove's .index, one a document
BESIDE_BYTES: Final = 800  # of a unit's .metadata and its record


@dataclass(frozen=True)
class Estimate:
    """What a source is expected to give, and to cost."""

    documents: int
    text_bytes: int
    tokens: int  # ends of text included
    size: int  # bytes on disk of its token files and what lies beside them
    cpu_seconds: float  # of one core such as the one that made the estimate
    seconds: float  # for one pod of one core, reading included
    sampled_bytes: int = 0  # of text, tokenized for this

    def __add__(self, other: "Estimate") -> "Estimate":
        return Estimate(
            self.documents + other.documents,
            self.text_bytes + other.text_bytes,
            self.tokens + other.tokens,
            self.size + other.size,
            self.cpu_seconds + other.cpu_seconds,
            self.seconds + other.seconds,
            self.sampled_bytes + other.sampled_bytes,
        )


NOTHING: Final = Estimate(0, 0, 0, 0, 0.0, 0.0)


def estimates(spec: TokenizeSpec, volume: Volume) -> dict[str, Estimate]:
    """The estimate of every source of a stage by its name, from SHARE of it; StageError where one can't be read."""
    vocabulary = read_vocabulary(volume.path(spec.tokenizer), spec)
    sources = [inspect_source(list_source(one, volume), one.limit) for one in spec.sources]
    engine = Engine(vocabulary, spec.tokenizer, spec.token_bytes)
    return {
        one.name: estimated(
            source, plan_units(source.files, spec.shards, one.limit), engine, vocabulary.end_of_text, spec.token_bytes,
            most_bytes=None,
        )
        for one, source in zip(spec.sources, sources, strict=True)
    }  # fmt: skip


def estimated(
    source: Source,
    units: Sequence[Unit],
    engine: Engine,
    end_of_text: str,
    token_bytes: int,
    most_bytes: int | None = MOST_BYTES,
) -> Estimate:
    """The estimate of a source that is cut into these units; None as `most_bytes` looks at SHARE however much it is."""
    pieces = sampled(source, units, most_bytes)
    rows, text_bytes = sum(one.rows for one in pieces), sum(one.text_bytes for one in pieces)
    if not rows:
        return NOTHING
    counts, cpu_seconds, seconds = _tokenized(source, pieces, engine, end_of_text)
    by_text = sum(one.text_bytes for one in units) / max(1, text_bytes)
    documents = round(sum(one.rows for one in units) * counts.documents / rows)
    tokens = round((counts.tokens - counts.documents) * by_text) + documents
    return Estimate(
        documents,
        round(counts.text_bytes * by_text),
        tokens,
        tokens * token_bytes + documents * INDEX_BYTES + len(units) * BESIDE_BYTES,
        cpu_seconds * by_text,
        (max(cpu_seconds, seconds) if "://" in source.path else cpu_seconds) * by_text,
        counts.text_bytes,
    )


def _tokenized(
    source: Source, pieces: Sequence[Piece], engine: Engine, end_of_text: str
) -> tuple[Counts, float, float]:
    """What was found in the pieces, and the CPU seconds and the seconds it took."""
    total = Counts()
    cpu, begun = time.process_time(), time.monotonic()
    for piece in pieces:  # one by one, so that little room is needed
        counts = _made(source, piece, engine, end_of_text)
        total.tokens += counts.tokens
        total.documents += counts.documents
        total.text_bytes += counts.text_bytes
    return total, time.process_time() - cpu, time.monotonic() - begun


def _made(source: Source, piece: Piece, engine: Engine, end_of_text: str) -> Counts:
    unit = Unit(0, (piece,), None)
    with TemporaryDirectory() as folder:
        for _ in range(2):  # the engine falls back at most once
            counts = Counts()
            try:
                made = texts(source, unit, counts, sample=True)
                return engine.make_unit(made, end_of_text, Path(folder), unit.name, counts, lambda _: None)
            except Remake:
                continue
    raise AssertionError("the engine fell back twice")
