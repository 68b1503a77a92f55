"""Runs a tokenize stage's pod: looks at everything first, then makes its units, and finishes what is complete.

A source's folder holds PLAN.json (see `planned`), for each unit `00000.ds` (ids), `.ds.index`, `.ds.metadata` and
`.ds.done.json`, and at last COMPLETE.json: {"source", "tokens", "documents", "textBytes", "documentsWithEndOfText",
"specialTokens", "empty", "broken", "filtered", "estimatedTokens", "estimateError", "files": [names of .ds files,
sorted], "sha256": [of each], "tokenizerSha256", "tokenBytes", "textKey", "scoreKey", "minScore", "limit", "inputs":
[{"path", "size"}]}.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from trainingrun_workers.contract import ExitCode, Result, StageInput, TokenizeSpec, TokenSource
from trainingrun_workers.reporting import Reporter
from trainingrun_workers.tokenization.counts import Counts
from trainingrun_workers.tokenization.encoders import LoadedAhead
from trainingrun_workers.tokenization.engine import Engine, Remake, quieten
from trainingrun_workers.tokenization.estimate import estimated
from trainingrun_workers.tokenization.plan import Unit, own_units, plan_units
from trainingrun_workers.tokenization.planned import (
    Plan,
    followed,
    publish_plan,
    read_plan,
    replace_plan,
    settings_of,
)
from trainingrun_workers.tokenization.progress import Progress, Work
from trainingrun_workers.tokenization.reading import texts
from trainingrun_workers.tokenization.records import (
    TokenFolder,
    clear_leftovers,
    error_of,
    temporary_bytes,
    temporary_folder,
)
from trainingrun_workers.tokenization.room import check_room, in_words
from trainingrun_workers.tokenization.sources import Source, inspect_source, list_source
from trainingrun_workers.tokenization.vocabulary import Vocabulary, read_vocabulary
from trainingrun_workers.volume import Volume, mark_complete

LOGGER: Final = logging.getLogger(__name__)
SUMMED: Final = ("tokens", "documents", "textBytes", "specialTokens", "empty", "broken", "filtered")


def run(stage_input: StageInput, volume: Volume, reporter: Reporter, fast: LoadedAhead) -> Result:
    """Make this pod's units; the output of the pod that ends last is the whole stage's, and its COMPLETE_MARKER."""
    spec: TokenizeSpec = stage_input.spec  # type: ignore[assignment]
    quieten()
    reporter.update(unit="shards", activity="checking the sources")
    vocabulary = read_vocabulary(volume.path(spec.tokenizer), spec)
    sources = [list_source(one, volume) for one in spec.sources]
    engine = Engine(vocabulary, spec.tokenizer, spec.token_bytes, fast, spec.threads)
    made_by = f"{stage_input.run.uid}/{stage_input.attempt}"
    folders = [
        _token_folder(one, source, spec, volume, vocabulary, engine, made_by)
        for one, source in zip(spec.sources, sources, strict=True)
    ]
    _check_room(folders, spec, volume)
    folders = [_kept(one, made_by) for one in folders]
    pod = reporter.snapshot.index
    work = [(tokens, unit) for tokens in {one.folder: one for one in folders}.values() for unit in tokens.units]
    for folder in {one.folder for one in folders}:
        clear_leftovers(folder, stage_input, spec, pod)
    progress = Progress(work, spec.pods, reporter, (engine.fallback,) if engine.fallback else ())
    left = [one for one in own_units(work, pod, spec.pods) if one[0].marker() is None]
    own, begun = _reused(folders, stage_input), time.process_time()
    made_bytes = _make(left, progress, engine, stage_input, pod)
    if made_bytes:
        own["textBytesPerCpuSecond"] = made_bytes / max(1e-3, time.process_time() - begun)
    return _finish(folders, volume, stage_input, own)


def _token_folder(
    spec: TokenSource, source: Source, stage: TokenizeSpec, volume: Volume, vocabulary: Vocabulary, engine: Engine,
    made_by: str,
) -> TokenFolder:  # fmt: skip
    """The source's folder with the plan that it has, or else with a new one that isn't kept yet."""
    folder, settings = volume.path(spec.folder), settings_of(spec, stage)
    plan = read_plan(folder, settings)
    empty = Plan((), (), settings, made_by)
    tokens = TokenFolder(spec, folder, source, plan or empty, vocabulary, stage.token_bytes)
    if tokens.marker() is not None and plan is not None:  # says so if the folder was made of something else
        return replace(tokens, source=source.with_contents(plan.files))
    if plan is not None and (as_planned := followed(source, plan, made_by)) is not None:
        return replace(tokens, source=as_planned[0], plan=as_planned[1])
    inspected = inspect_source(source, spec.limit)
    units = plan_units(inspected.files, stage.shards, spec.limit)
    expected = estimated(inspected, units, engine, vocabulary.end_of_text, stage.token_bytes)
    LOGGER.info(
        "Source %s: %d files, %d shards, about %s tokens in %s",
        spec.name, len(source.files), len(units), f"{expected.tokens:,}", in_words(expected.size),
    )  # fmt: skip
    return replace(
        tokens, source=inspected, plan=Plan(inspected.files, units, settings, made_by, expected.tokens, expected.size)
    )


def _kept(tokens: TokenFolder, made_by: str) -> TokenFolder:
    """The folder with its plan on the volume: this pod's, or that of another pod which was first."""
    if tokens.marker() is not None:
        return tokens
    plan = read_plan(tokens.folder, tokens.plan.settings) or publish_plan(tokens.folder, tokens.plan)
    as_planned = followed(tokens.source, plan, made_by)
    source, agreed = as_planned or (tokens.source, tokens.plan)
    if agreed is not plan:
        replace_plan(tokens.folder, agreed)
    return replace(tokens, source=source, plan=agreed)


def _check_room(folders: Sequence[TokenFolder], spec: TokenizeSpec, volume: Volume) -> None:
    whole = left = 0
    for tokens in folders:
        size = tokens.plan.estimated_size
        whole += size
        text_bytes = sum(one.text_bytes for one in tokens.units)
        missing = sum(one.text_bytes for one in tokens.units if tokens.record(one) is None)
        left += max(0, size * missing // max(1, text_bytes) - temporary_bytes(tokens.folder))
    check_room(whole, left, spec.claim_bytes, volume.free_bytes())


def _make(work: Sequence[Work], progress: Progress, engine: Engine, stage_input: StageInput, pod: int) -> int:
    """Make the units that nobody has made yet; bytes of text in those that were made here."""
    text_bytes = 0
    for tokens, unit in work:
        progress.making(tokens, unit)
        if tokens.record(unit) is not None:
            continue
        with temporary_folder(tokens.folder, stage_input, pod) as into:
            counts = _unit(engine, tokens, unit, into, progress)
            record = tokens.publish(unit, into, counts)
        progress.made(record)
        if progress.is_made(tokens):
            tokens.finish()  # at once: other runs may wait for this source and not for the others
        text_bytes += int(record["textBytes"])
        LOGGER.info("Source %s, shard %s: %s tokens", tokens.spec.name, unit.name, f"{record['tokens']:,}")
    progress.look()
    return text_bytes


def _unit(engine: Engine, tokens: TokenFolder, unit: Unit, into: Any, progress: Progress) -> Counts:
    while True:  # twice at most: the engine has nothing left to fall back to then
        counts = Counts()
        read = texts(tokens.source, unit, counts)
        try:
            return engine.make_unit(read, tokens.vocabulary.end_of_text, into, unit.name, counts, progress.batch)
        except Remake:
            progress.note(engine.fallback)
            LOGGER.warning("Source %s, shard %s is made again: %s", tokens.spec.name, unit.name, engine.fallback)


def _reused(folders: Sequence[TokenFolder], stage_input: StageInput) -> dict[str, Any]:
    """The sources that another run has made, and what is in them: told of this run, and not kept beside the tokens,
    where the next run may find it otherwise."""
    others = (one for one in folders if one.plan.made_by.split("/")[0] != stage_input.run.uid)
    found = [(one, marker) for one in others if (marker := one.marker()) is not None]
    return {
        "reusedSources": ", ".join(one.spec.name for one, _ in found),
        "reusedTokens": sum(marker["tokens"] for _, marker in found),
        "reusedBytes": sum(marker["tokens"] * one.token_bytes for one, marker in found),
        "reusedTextBytes": sum(marker["textBytes"] for _, marker in found),
    }


def _finish(folders: Sequence[TokenFolder], volume: Volume, stage_input: StageInput, own: dict[str, Any]) -> Result:
    finished: list[dict[str, Any]] = []
    for tokens in folders:
        marker = tokens.finish()
        if marker is not None:
            figures = {key: marker[key] for key in SUMMED}
            finished.append({"name": tokens.spec.name, "folder": tokens.spec.folder, **figures})
    output = _output(finished, folders)
    if len(finished) < len(folders):
        message = f"This pod's shards are done; {len(finished)} of {len(folders)} sources are complete, others go on."
        return Result(int(ExitCode.DONE), "Completed", message, output=output | own)
    output["estimateError"] = error_of(output["estimatedTokens"], output["tokens"])
    mark_complete(volume.path(stage_input.folder), output)
    message = f"{len(folders)} sources are tokenized: {output['tokens']:,} tokens."
    return Result(int(ExitCode.DONE), "Completed", message, output=output | own)


def _output(finished: list[dict[str, Any]], folders: Sequence[TokenFolder]) -> dict[str, Any]:
    totals = {key: sum(one[key] for one in finished) for key in SUMMED}
    size = totals["tokens"] * folders[0].token_bytes  # of the .ds files
    estimated = sum(one.plan.estimated_tokens for one in folders)
    return {"sources": finished, **totals, "bytes": size, "estimatedTokens": estimated}
