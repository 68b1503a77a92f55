from pathlib import Path

import pytest

from trainingrun_workers.sft.prepared import Prepared, RowCounts

FILES = {"sft/a.jsonl": [10, 99]}
COUNTS = RowCounts(rows=10, overlong=2, unlabelled=1, kept=7)
TOKENS = {"total_num_tokens": 70}


def half_written(folder: Path) -> Prepared:
    prepared = Prepared(folder, "uid-a1")
    prepared.reuse(FILES, keep=False)
    (prepared.folder / "abc").mkdir()
    (prepared.folder / "abc/data-00000-of-00001.arrow").write_text("rows")
    (prepared.folder / "datasets_ready.flag").touch()
    return prepared


def test_data_that_another_stage_has_prepared_are_moved_here_once(tmp_path: Path) -> None:
    theirs = Prepared(tmp_path / "prepare", "uid-a1")
    theirs.reuse(FILES, keep=False)
    (theirs.folder / "rows").write_text("rows")
    mine = Prepared(tmp_path / "sft", "uid-a1")
    mine.reuse(FILES, keep=False)

    assert not mine.adopt(tmp_path / "prepare", FILES), "they are not whole"
    theirs.finish(RowCounts(5, 1, 0, 4), FILES, {})
    assert not mine.adopt(tmp_path / "prepare", {"sft/a.jsonl": [11, 99]}), "the files have changed since"
    assert mine.adopt(tmp_path / "prepare", FILES)
    assert (mine.folder / "rows").read_text() == "rows"
    assert mine.counts() == RowCounts(5, 1, 0, 4)
    assert not mine.adopt(tmp_path / "prepare", FILES)


def test_half_of_the_data_is_removed(tmp_path: Path) -> None:
    prepared = half_written(tmp_path)

    assert not prepared.reuse(FILES, keep=True)
    assert list(prepared.folder.iterdir()) == []


def test_whole_data_are_taken_up_without_the_locks_of_a_killed_process(tmp_path: Path) -> None:
    prepared = half_written(tmp_path)
    prepared.finish(COUNTS, FILES, TOKENS)

    assert prepared.reuse(FILES, keep=False)
    assert {path.name for path in prepared.folder.iterdir()} == {"abc", "COMPLETE.json"}
    assert prepared.counts() == COUNTS


def test_the_next_attempt_has_whole_data_under_a_name_of_its_own(tmp_path: Path) -> None:
    before, after = half_written(tmp_path), Prepared(tmp_path, "uid-a2")
    before.finish(COUNTS, FILES, TOKENS)

    assert after.reuse(FILES, keep=False)
    assert [path.name for path in tmp_path.iterdir()] == ["prepared-uid-a2"]
    assert (after.folder / "abc/data-00000-of-00001.arrow").read_text() == "rows"


def test_what_an_earlier_attempt_still_writes_is_not_taken_up(tmp_path: Path) -> None:
    half_written(tmp_path)
    after = Prepared(tmp_path, "uid-a2")
    assert not after.reuse(FILES, keep=False)
    after.finish(COUNTS, FILES, TOKENS)
    (tmp_path / "prepared-uid-a1/abc").mkdir(parents=True)  # by a process that has slept meanwhile

    assert Prepared(tmp_path, "uid-a3").reuse(FILES, keep=False)
    assert [path.name for path in tmp_path.iterdir()] == ["prepared-uid-a3"]


@pytest.mark.parametrize("keep", [True, False])
def test_data_that_have_lost_something_since_are_made_again(tmp_path: Path, keep: bool) -> None:
    prepared = half_written(tmp_path)
    prepared.finish(COUNTS, FILES, TOKENS)
    (prepared.folder / "abc/data-00000-of-00001.arrow").write_text("row")

    assert not prepared.reuse(FILES, keep)
    assert list(prepared.folder.iterdir()) == []
    assert (prepared.counts(), prepared.tokens()) == (RowCounts(0, 0, 0, 0), {})


def test_data_that_another_stage_has_prepared_and_that_are_damaged_are_not_taken(tmp_path: Path) -> None:
    theirs = half_written(tmp_path / "prepare")
    theirs.finish(COUNTS, FILES, TOKENS)
    mine = Prepared(tmp_path / "sft", "uid-a1")
    (theirs.folder / "abc/data-00000-of-00001.arrow").unlink()

    assert not mine.adopt(tmp_path / "prepare", FILES)


def test_packings_locks_and_caches_are_none_of_the_data_that_have_to_be_whole(tmp_path: Path) -> None:
    prepared = half_written(tmp_path)
    prepared.packings.mkdir()
    others = (
        prepared.packings / "0a1b",
        prepared.folder / "process_counter.txt",
        prepared.folder / "abc/cache-1.arrow",
    )
    for other in others:
        other.write_text("packed")
    prepared.finish(COUNTS, FILES, TOKENS)
    for other in others:
        other.write_text("pack")

    assert prepared.reuse(FILES, keep=False)
    assert prepared.tokens() == TOKENS


def test_data_made_from_files_that_have_changed_are_made_again(tmp_path: Path) -> None:
    prepared = half_written(tmp_path)
    prepared.finish(COUNTS, FILES, TOKENS)

    assert not prepared.reuse({"sft/a.jsonl": [11, 99]}, keep=False)


def test_a_run_that_has_trained_keeps_the_data_that_it_began_with(tmp_path: Path) -> None:
    prepared = half_written(tmp_path)
    prepared.finish(COUNTS, FILES, TOKENS)

    assert prepared.reuse({"sft/a.jsonl": [11, 99]}, keep=True)


def test_dropped_rows_are_told_in_a_sentence_each() -> None:
    assert COUNTS.dropped == 3
    assert COUNTS.notes(256) == (
        "2 of 10 conversations are longer than sequence_len 256 and were dropped: raise it to train on them.",
        "1 of 10 conversations have no token to train on and were dropped: look at roles_to_train.",
    )
    assert RowCounts(10, 0, 0, 10).notes(256) == ()


def test_pieces_of_cut_texts_are_dropped_for_being_too_short_and_not_too_long() -> None:
    assert RowCounts(10, 2, 0, 8).notes(256, "pieces of text", cut=True) == (
        "2 of 10 pieces of text are single tokens, left where texts were cut at sequence_len 256, and were dropped.",
    )
