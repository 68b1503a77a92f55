"""Which parts of which files go into which unit, whoever does the work."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainingrun_workers.tokenization.plan import InputFile, Part, Piece, own_units, plan_units, with_other_parts


def groups(path: str, *rows: int, width: int = 100) -> InputFile:
    """A parquet file with row groups of these rows, each of `width` bytes of text."""
    parts = tuple(Part(i, i + 1, one, one * width) for i, one in enumerate(rows))
    return InputFile(path, 12 + width * sum(rows), "now", "abc", parts)


def lines(path: str, size: int, rows: int = 10) -> InputFile:
    return InputFile(path, size, "now", "", (Part(0, size, rows, size),), divisible=True)


def described(files: list[list[int]]) -> list[InputFile]:
    return [groups(f"{i:05d}.parquet", *rows) for i, rows in enumerate(files)]


FILES = st.lists(st.lists(st.integers(1, 100), max_size=12), min_size=1, max_size=20).map(described)


@given(FILES, st.integers(1, 70), st.one_of(st.none(), st.integers(1, 3000)))
def test_every_row_group_is_in_one_unit_in_order_and_there_are_no_more_units_than_asked(
    files: list[InputFile], shards: int, limit: int | None
) -> None:
    planned = plan_units(files[::-1], shards, limit)
    taken = [(piece.path, i) for unit in planned for piece in unit.pieces for i in range(piece.first, piece.end)]
    every = [(file.path, part.first) for file in files for part in file.parts]
    assert taken == every[: len(taken)]
    assert len(planned) <= shards
    assert [unit.index for unit in planned] == list(range(len(planned)))
    assert all(unit.pieces for unit in planned)
    rows = sum(one.rows for one in files)
    assert sum(unit.rows for unit in planned) == (rows if limit is None else min(rows, limit))


@given(FILES, st.integers(1, 70), st.integers(1, 9))
def test_any_number_of_pods_makes_every_unit_once(files: list[InputFile], shards: int, pods: int) -> None:
    planned = plan_units(files, shards, None)
    made = [unit.index for pod in range(pods) for unit in own_units(planned, pod, pods)]
    assert sorted(made) == [unit.index for unit in planned]


@given(st.integers(1, 10**9), st.integers(1, 40), st.integers(1, 40))
def test_a_file_of_lines_is_cut_without_a_gap_into_units_of_equal_text(size: int, rows: int, shards: int) -> None:
    planned = plan_units([lines("a.jsonl", size, rows)], shards, None)
    pieces = [piece for unit in planned for piece in unit.pieces]
    assert (pieces[0].first, pieces[-1].end) == (0, size)
    assert [one.end for one in pieces[:-1]] == [one.first for one in pieces[1:]]
    assert sum(one.rows for one in pieces) == rows
    sizes = [unit.text_bytes for unit in planned]
    assert sum(one.text_bytes for one in pieces) == size
    if size > 100_000 * shards and rows > shards:
        assert max(one.end - one.first for one in pieces) <= 1.07 * size / len(sizes) + 200_000


def test_sixteen_units_of_small_row_groups_are_within_five_percent() -> None:
    files = [groups(f"{i:02d}", *(1 + (i * 7 + j * 13) % 20 for j in range(10 + i * 3)), width=3000) for i in range(29)]
    sizes = [one.text_bytes for one in plan_units(files, 16, None)]
    balance = max(sizes) / (sum(sizes) / len(sizes))
    print(f"16 units of {sum(len(one.parts) for one in files)} row groups: largest by mean {balance:.3f}")
    assert len(sizes) == 16
    assert balance <= 1.05


def test_as_few_row_groups_as_units_are_a_unit_each() -> None:
    planned = plan_units([groups("a", 1, 1), groups("b", 98)], 4, None)
    assert [[(p.path, p.first) for p in one.pieces] for one in planned] == [[("a", 0)], [("a", 1)], [("b", 0)]]


def test_row_groups_that_follow_each_other_are_one_piece() -> None:
    planned = plan_units([groups("a", 10, 10), groups("b", 10, 10)], 1, None)
    assert planned[0].pieces == (Piece("a", 0, 2, 20, 2000), Piece("b", 0, 2, 20, 2000))


def test_a_limit_leaves_out_what_is_behind_it_and_cuts_the_last_unit() -> None:
    planned = plan_units([groups(str(i), 10) for i in range(4)], 4, 25)
    assert [(len(unit.pieces), unit.limit) for unit in planned] == [(1, None), (1, None), (1, 5)]
    assert planned[-1].text_bytes == 500


@pytest.mark.parametrize("index", [0, 9, 10, 12_345])
def test_names_sort_as_units_do(index: int) -> None:
    planned = plan_units([groups(f"{i:06d}", 1) for i in range(12_400)], 12_400, None)
    assert planned[index].name == f"{index:05d}.ds"


@given(FILES, st.integers(1, 12), st.integers(0, 19), st.lists(st.integers(1, 100), max_size=12))
def test_a_file_that_is_another_one_now_changes_only_the_units_it_was_in(
    files: list[InputFile], shards: int, which: int, rows: list[int]
) -> None:
    units = plan_units(files, shards, None)
    other = groups(files[which % len(files)].path, *rows)
    amended = with_other_parts(units, other.path, other.parts)
    taken = [(piece.path, i) for unit in amended for piece in unit.pieces for i in range(piece.first, piece.end)]
    now = [other if one.path == other.path else one for one in files]
    if units:
        assert taken == [(file.path, part.first) for file in now for part in file.parts]
    for before, after in zip(units, amended, strict=True):
        if all(piece.path != other.path for piece in (*before.pieces, *after.pieces)):
            assert before == after
