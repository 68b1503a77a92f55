"""A journal's records outlive a death at any byte, and nothing whole is lost by what is torn."""

from contextlib import closing
from pathlib import Path

import pytest

from trainingrun_workers.judge.journal import Journal, key_of


def filled(path: Path) -> None:
    with closing(Journal(path)) as journal:
        journal.add({"key": "a", "reply": "one\ntwo\u2028three"})
        journal.add({"key": "b", "reply": "four"})


def test_records_are_found_again(tmp_path: Path) -> None:
    filled(tmp_path / "j.jsonl")
    with closing(Journal(tmp_path / "j.jsonl")) as journal:
        assert journal.get("a") == {"key": "a", "reply": "one\ntwo\u2028three"}
        assert journal.get("c") is None
    assert (tmp_path / "j.jsonl").stat().st_mode & 0o777 == 0o664


@pytest.mark.parametrize("lost", [1, 5, 20])
def test_a_torn_line_is_cut_off_and_written_anew(tmp_path: Path, lost: int) -> None:
    path = tmp_path / "j.jsonl"
    filled(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-lost])
    with closing(Journal(path)) as journal:
        assert journal.get("a") is not None
        assert journal.get("b") is None
        journal.add({"key": "b", "reply": "four"})
    assert path.read_bytes() == whole


def test_a_line_that_cannot_be_read_costs_itself_alone(tmp_path: Path) -> None:
    path = tmp_path / "j.jsonl"
    filled(path)
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first[:-10] + b"\x00\x00\n" + b"[1]\n" + second)
    with closing(Journal(path)) as journal:
        assert journal.get("a") is None
        assert journal.get("b") is not None


def test_keys_differ_where_anything_differs() -> None:
    assert key_of("a", 1) == key_of("a", 1)
    assert len({key_of("a", 1), key_of("a", 2), key_of("a1"), key_of("b", 1)}) == 4
