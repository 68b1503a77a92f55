"""Which files go into which shard, whoever does the work."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainingrun_workers.tokenization.plan import InputFile, own_shards, plan_shards


def described(pairs: list[tuple[int, int]]) -> list[InputFile]:
    return [InputFile(f"{i:05d}.parquet", 12 + size, rows, size) for i, (size, rows) in enumerate(pairs)]


FILES = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 100)), min_size=1, max_size=60).map(described)


@given(FILES, st.integers(1, 70), st.one_of(st.none(), st.integers(1, 3000)))
def test_every_file_is_in_one_shard_in_order_and_there_are_no_more_shards_than_asked(
    files: list[InputFile], shards: int, limit: int | None
) -> None:
    planned = plan_shards(files[::-1], shards, limit)
    taken = [one for shard in planned for one in shard.files]
    assert taken == files[: len(taken)]
    assert len(planned) <= shards
    assert [shard.index for shard in planned] == list(range(len(planned)))
    assert all(shard.files for shard in planned)
    rows = sum(one.rows for one in files)
    assert sum(shard.rows for shard in planned) == (rows if limit is None else min(rows, limit))


@given(FILES, st.integers(1, 70), st.integers(1, 9))
def test_any_number_of_pods_makes_every_shard_once(files: list[InputFile], shards: int, pods: int) -> None:
    planned = plan_shards(files, shards, None)
    made = [shard.index for pod in range(pods) for shard in own_shards(planned, pod, pods)]
    assert sorted(made) == [shard.index for shard in planned]


def files(*sizes: int, rows: int = 10) -> list[InputFile]:
    return [InputFile(f"{i}.parquet", size, rows, size) for i, size in enumerate(sizes)]


def test_as_few_files_as_shards_are_a_shard_each() -> None:
    assert [len(one.files) for one in plan_shards(files(1, 1, 98), 4, None)] == [1, 1, 1]


def test_many_files_make_shards_of_equal_bytes() -> None:
    planned = plan_shards(files(*[100] * 1000), 8, None)
    assert [sum(one.size for one in shard.files) for shard in planned] == [12_500] * 8


def test_a_limit_leaves_out_the_files_behind_it_and_cuts_the_last_one() -> None:
    planned = plan_shards(files(100, 100, 100, 100), 4, 25)
    assert [(len(shard.files), shard.limit) for shard in planned] == [(1, None), (1, None), (1, 5)]
    assert planned[-1].text_bytes == 50


@pytest.mark.parametrize("index", [0, 9, 10, 12_345])
def test_names_sort_as_shards_do(index: int) -> None:
    planned = plan_shards([InputFile(f"{i:06d}", 10, 1, 1) for i in range(12_400)], 12_400, None)
    assert planned[index].name == f"{index:05d}.ds"
