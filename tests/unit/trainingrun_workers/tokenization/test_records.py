"""What is kept of units, and when it counts."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models

from trainingrun_workers.contract import RunReference, StageInput, TokenizeSpec, TokenSource
from trainingrun_workers.errors import BadConfig, BadData
from trainingrun_workers.reporting import Reporter
from trainingrun_workers.tokenization.counts import Counts
from trainingrun_workers.tokenization.plan import InputFile, Part, plan_units
from trainingrun_workers.tokenization.planned import Plan
from trainingrun_workers.tokenization.progress import Progress
from trainingrun_workers.tokenization.records import (
    TokenFolder,
    clear_leftovers,
    temporary_bytes,
    temporary_folder,
)
from trainingrun_workers.tokenization.sources import Source
from trainingrun_workers.tokenization.vocabulary import Vocabulary
from trainingrun_workers.volume import Volume

SPEC = TokenSource("en", "raw/en", "**/*.parquet", "text", 1.0, "tokens/en")


def tokens_of(root: Path, sha256: str = "abc", sizes: tuple[int, ...] = (100, 200)) -> TokenFolder:
    files = tuple(
        InputFile(f"{i}.parquet", size, "now", f"of {size}", (Part(0, 1, 10, size),)) for i, size in enumerate(sizes)
    )
    folder = root / "tokens/en"
    folder.mkdir(parents=True, exist_ok=True)
    return TokenFolder(
        SPEC, folder, Source("en", "raw/en", "text", None, files),
        Plan(files, plan_units(files, 4, None), {}, "uid-1/0", 150, 500),
        Vocabulary(root / "tokenizer.json", "<|end|>", 10, sha256, Tokenizer(models.BPE())), 2,
    )  # fmt: skip


def make(tokens: TokenFolder, index: int, count: int = 3) -> dict[str, Any]:
    unit, made = tokens.units[index], tokens.folder / f"made-{index}"
    made.mkdir()
    for side in ("", ".index", ".metadata"):
        (made / (unit.name + side)).write_bytes(b"ab" * count if not side else b"x")
    return tokens.publish(unit, made, Counts(count, 1, 20, 0, 2, 3, 4, 5))


def test_a_unit_is_done_once_it_is_published(tmp_path: Path) -> None:
    tokens = tokens_of(tmp_path)
    assert tokens.record(tokens.units[0]) is None
    record = make(tokens, 0)
    assert tokens.record(tokens.units[0]) == record
    assert tokens.record(tokens.units[1]) is None


@pytest.mark.parametrize("change", [{"sha256": "other"}, {"sizes": (101, 200)}])
def test_a_unit_of_another_tokenizer_or_input_is_not_done(tmp_path: Path, change: dict[str, Any]) -> None:
    make(tokens_of(tmp_path), 0)
    changed = tokens_of(tmp_path, **change)
    assert changed.record(changed.units[0]) is None


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_bytes(b"ab")])
def test_a_unit_whose_tokens_are_gone_or_short_is_not_done(tmp_path: Path, damage: Any) -> None:
    tokens = tokens_of(tmp_path)
    make(tokens, 0)
    damage(tokens.folder / "00000.ds")
    assert tokens.record(tokens.units[0]) is None


def test_a_torn_record_is_not_done(tmp_path: Path) -> None:
    tokens = tokens_of(tmp_path)
    make(tokens, 0)
    (tokens.folder / "00000.ds.done.json").write_text('{"tokens": ')
    assert tokens.record(tokens.units[0]) is None


def test_a_folder_is_finished_with_its_last_unit(tmp_path: Path) -> None:
    tokens = tokens_of(tmp_path)
    make(tokens, 1)
    assert tokens.finish() is None
    assert not (tokens.folder / "COMPLETE.json").exists()
    make(tokens, 0, count=5)
    marker = tokens.finish()
    assert marker is not None
    assert (marker["tokens"], marker["documents"], marker["textBytes"]) == (8, 2, 40)
    left_out = ("specialTokens", "empty", "broken", "filtered")
    assert [marker[key] for key in left_out] == [4, 6, 8, 10]
    assert (marker["estimatedTokens"], marker["estimateError"]) == (150, 17.75)
    assert marker["files"] == ["00000.ds", "00001.ds"]
    assert marker["inputs"] == [{"path": "0.parquet", "size": 100}, {"path": "1.parquet", "size": 200}]
    assert json.loads((tokens.folder / "COMPLETE.json").read_text()) == marker
    assert tokens_of(tmp_path).finish() == marker


def test_a_unit_without_text_has_no_file(tmp_path: Path) -> None:
    tokens = tokens_of(tmp_path)
    make(tokens, 0, count=0)
    make(tokens, 1)
    marker = tokens.finish()
    assert marker is not None
    assert marker["files"] == ["00001.ds"]
    assert not (tokens.folder / "00000.ds").exists()


def test_token_files_that_the_plan_does_not_have_are_taken_away_before_the_end(tmp_path: Path) -> None:
    tokens = tokens_of(tmp_path)
    for name in ("00001.ds", "00002.ds", "00002.ds.index"):
        (tokens.folder / name).touch()
    make(tokens, 0)
    make(tokens, 1, count=0)
    assert not (tokens.folder / "00001.ds").exists()
    assert tokens.finish() is not None
    assert [one.name for one in sorted(tokens.folder.glob("*.ds*")) if not one.name.endswith(".done.json")] == [
        "00000.ds", "00000.ds.index", "00000.ds.metadata",
    ]  # fmt: skip


def test_a_source_without_any_text_is_refused(tmp_path: Path) -> None:
    tokens = tokens_of(tmp_path)
    make(tokens, 0, count=0)
    make(tokens, 1, count=0)
    with pytest.raises(BadData, match="No row of source 'en' has text in 'text'"):
        tokens.finish()


def finished(root: Path) -> None:
    tokens = tokens_of(root)
    make(tokens, 0)
    make(tokens, 1)
    tokens.finish()


def test_a_finished_folder_tells_what_changed_since(tmp_path: Path) -> None:
    finished(tmp_path)
    with pytest.raises(BadData, match=r"\(new: 2\.parquet; of another size: 1\.parquet\)"):
        tokens_of(tmp_path, sizes=(100, 201, 300)).marker()
    with pytest.raises(BadData, match=r"\(gone: 1\.parquet\)"):
        tokens_of(tmp_path, sizes=(100,)).marker()
    with pytest.raises(BadConfig, match="another tokenizer"):
        tokens_of(tmp_path, sha256="other").marker()


def stage_input(uid: str = "uid-1", attempt: int = 0) -> StageInput:
    spec = TokenizeSpec("tokenizer", 2, 10, 4, 2, None, (SPEC,))
    return StageInput(RunReference("ns", "run", uid), "tokenize", "tokenize", attempt, "f", "r", None, 9.0, 5.0, spec)


@pytest.fixture
def leftovers(tmp_path: Path) -> Iterator[Path]:
    for name in ("uid-1.0.0.host.1", "uid-1.0.1.host.1", "uid-1.0.5.host.1", "uid-2.0.0.host.1", "odd"):
        (tmp_path / f".tmp.{name}").mkdir()
        (tmp_path / f".tmp.{name}/00000.ds").write_bytes(b"abc")
    os.utime(tmp_path / ".tmp.odd", (0, 0))
    yield tmp_path


def names(folder: Path) -> set[str]:
    return {one.name.removeprefix(".tmp.") for one in folder.iterdir()}


def test_the_first_pod_clears_its_own_leftovers_those_of_pods_that_are_no_more_and_old_ones(leftovers: Path) -> None:
    spec = TokenizeSpec("tokenizer", 2, 10, 4, 2, None, (SPEC,))
    clear_leftovers(leftovers, stage_input(attempt=1), spec, 0)
    assert names(leftovers) == {"uid-1.0.1.host.1", "uid-2.0.0.host.1"}


def test_another_pod_clears_its_own_leftovers_and_old_ones(leftovers: Path) -> None:
    spec = TokenizeSpec("tokenizer", 2, 10, 4, 2, None, (SPEC,))
    clear_leftovers(leftovers, stage_input(attempt=1), spec, 1)
    assert names(leftovers) == {"uid-1.0.0.host.1", "uid-1.0.5.host.1", "uid-2.0.0.host.1"}


def test_half_a_record_that_a_killed_pod_has_left_goes_after_a_day(tmp_path: Path) -> None:
    spec = TokenizeSpec("tokenizer", 2, 10, 4, 2, None, (SPEC,))
    old, new = ".00003.ds.done.json.host-1-2.tmp", ".00004.ds.done.json.host-1-2.tmp"
    for name in (old, new, "00003.ds.done.json"):
        (tmp_path / name).write_text("{")
    os.utime(tmp_path / old, (0, 0))
    os.utime(tmp_path / "00003.ds.done.json", (0, 0))
    clear_leftovers(tmp_path, stage_input(), spec, 0)
    assert names(tmp_path) == {new, "00003.ds.done.json"}


def test_what_is_being_made_is_counted(leftovers: Path) -> None:
    assert temporary_bytes(leftovers) == 15


def test_a_temporary_folder_is_gone_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="torn"), temporary_folder(tmp_path, stage_input(), 0) as folder:
        (folder / "x").touch()
        raise ValueError("torn")
    assert not list(tmp_path.iterdir())


def test_progress_is_that_of_all_pods_with_a_rate_and_an_end(tmp_path: Path) -> None:
    tokens = tokens_of(tmp_path)
    clock = iter([0.0, 0.0, 1.0])
    with Reporter(stage_input(), Volume(tmp_path), 0) as reporter:
        progress = Progress([(tokens, one) for one in tokens.units], 1, reporter, ("Slow.",), lambda: next(clock))
        progress.making(tokens, tokens.units[0])
        assert reporter.snapshot.activity == "tokenizing en, shard 1 of 2"
        for text in ("Slow.", "Slower."):
            progress.note(text)
        progress.made(make(tokens, 0, count=10))
        shown = reporter.snapshot
    assert (shown.step, shown.total, shown.tokens) == (1, 2, 10)
    assert shown.counts["estimatedTokens"] == 150
    assert (shown.counts["tokens"], shown.counts["en.tokens"], shown.counts["en.broken"]) == (10, 10, 4)
    assert shown.counts["textBytesPerSecond"] == pytest.approx(20.0)
    assert shown.notes[:2] == ("Slow.", "Slower.")
    assert "4 documents are broken" in shown.notes[-1]
    # The shard's 20 bytes of text and 10 tokens took 1 s by the clock above; 200 bytes are left.
    assert shown.tokens_per_second == pytest.approx(10.0)
    assert shown.eta_seconds == pytest.approx(10.0)
