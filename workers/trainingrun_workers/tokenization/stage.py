"""Runs a tokenize stage's pod: looks at everything first, then makes its shards, and finishes what is complete.

A source's folder holds, for each shard, `00000.ds` (ids), `.ds.index`, `.ds.metadata` and `.ds.done.json`, and at
last COMPLETE.json: {"source", "tokens", "estimatedTokens", "documents", "textBytes", "documentsWithEndOfText",
"files": [names of .ds files, sorted], "sha256": [of each], "tokenizerSha256", "tokenBytes", "textKey", "limit",
"inputs": [{"path", "size"}]}.
"""

import logging
from collections.abc import Sequence
from typing import Any, Final

from trainingrun_workers.contract import ExitCode, Result, StageInput, TokenizeSpec, TokenSource
from trainingrun_workers.reporting import Reporter
from trainingrun_workers.tokenization.engine import Engine, quieten
from trainingrun_workers.tokenization.estimate import check_room, estimate, in_words, sampled_density
from trainingrun_workers.tokenization.plan import own_shards, plan_shards
from trainingrun_workers.tokenization.progress import Progress, Work
from trainingrun_workers.tokenization.records import (
    TokenFolder,
    clear_leftovers,
    temporary_bytes,
    temporary_folder,
)
from trainingrun_workers.tokenization.sources import Source, inspect_source
from trainingrun_workers.tokenization.vocabulary import Vocabulary, read_vocabulary
from trainingrun_workers.volume import Volume, mark_complete

LOGGER: Final = logging.getLogger(__name__)


def run(stage_input: StageInput, volume: Volume, reporter: Reporter) -> Result:
    """Make this pod's shards; the output of the pod that ends last is the whole stage's, and its COMPLETE_MARKER."""
    spec: TokenizeSpec = stage_input.spec  # type: ignore[assignment]
    quieten()
    reporter.update(unit="shards", activity="checking the sources")
    vocabulary = read_vocabulary(volume.path(spec.tokenizer), spec)
    sources = [inspect_source(one, volume) for one in spec.sources]
    engine = Engine(vocabulary, spec.tokenizer, spec.token_bytes)
    folders = [
        _token_folder(one, source, spec, volume, vocabulary, engine)
        for one, source in zip(spec.sources, sources, strict=True)
    ]
    _check_room(folders, spec, volume)
    pod = reporter.snapshot.index
    work = [(tokens, shard) for tokens in {one.folder: one for one in folders}.values() for shard in tokens.shards]
    for folder in {one.folder for one in folders}:
        clear_leftovers(folder, stage_input, spec, pod)
    _make(own_shards(work, pod, spec.pods), Progress(work, spec.pods, reporter), engine, stage_input, pod)
    return _finish(folders, volume, stage_input)


def _token_folder(
    spec: TokenSource, source: Source, stage: TokenizeSpec, volume: Volume, vocabulary: Vocabulary, engine: Engine
) -> TokenFolder:
    shards = plan_shards(source.files, stage.shards, spec.limit)
    expected = estimate(shards, sampled_density(source, shards, engine.tokenizer), stage.token_bytes)
    LOGGER.info(
        "Source %s: %d files, %d shards, about %s tokens in %s",
        spec.name, len(source.files), len(shards), f"{expected.tokens:,}", in_words(expected.size),
    )  # fmt: skip
    tokens = TokenFolder(
        spec, volume.path(spec.folder), source, shards, vocabulary, stage.token_bytes, expected.tokens, expected.size
    )
    tokens.marker()  # says so if the folder was made of something else
    return tokens


def _check_room(folders: Sequence[TokenFolder], spec: TokenizeSpec, volume: Volume) -> None:
    whole = left = 0
    for tokens in folders:
        whole += tokens.estimated_size
        rows = sum(one.rows for one in tokens.shards)
        missing = sum(one.rows for one in tokens.shards if tokens.record(one) is None)
        left += max(0, tokens.estimated_size * missing // max(1, rows) - temporary_bytes(tokens.folder))
    check_room(whole, left, spec.claim_bytes, volume.free_bytes())


def _make(work: Sequence[Work], progress: Progress, engine: Engine, stage_input: StageInput, pod: int) -> None:
    for tokens, shard in work:
        progress.making(tokens, shard)
        if tokens.record(shard) is not None:
            continue
        with temporary_folder(tokens.folder, stage_input, pod) as into:
            counts = engine.make_shard(tokens, shard, into, progress.document)
            record = tokens.publish(shard, into, counts)
        progress.made(record)
        LOGGER.info("Source %s, shard %s: %s tokens", tokens.spec.name, shard.name, f"{record['tokens']:,}")
    progress.look()


def _finish(folders: Sequence[TokenFolder], volume: Volume, stage_input: StageInput) -> Result:
    finished: list[dict[str, Any]] = []
    for tokens in folders:
        marker = tokens.finish()
        if marker is not None:
            figures = {key: marker[key] for key in ("tokens", "documents", "textBytes")}
            finished.append({"name": tokens.spec.name, "folder": tokens.spec.folder, **figures})
    output = {
        "sources": finished,
        "tokens": sum(one["tokens"] for one in finished),
        "estimatedTokens": sum(one.estimated_tokens for one in folders),
    }
    if len(finished) < len(folders):
        message = f"This pod's shards are done; {len(finished)} of {len(folders)} sources are complete, others go on."
        return Result(int(ExitCode.DONE), "Completed", message, output=output)
    mark_complete(volume.path(stage_input.folder), output)
    message = f"{len(folders)} sources are tokenized: {output['tokens']:,} tokens."
    return Result(int(ExitCode.DONE), "Completed", message, output=output)
