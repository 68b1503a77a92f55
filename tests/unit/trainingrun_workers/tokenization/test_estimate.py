"""What an estimate is made from, how many bytes there is room for, and how that is told."""

import pytest

from trainingrun_workers.errors import BadConfig
from trainingrun_workers.tokenization.plan import InputFile, Part, Piece, plan_units
from trainingrun_workers.tokenization.room import check_room, in_words
from trainingrun_workers.tokenization.sample import LEAST_PARTS, RANGE_BYTES, sampled
from trainingrun_workers.tokenization.sources import Source


def parquet(path: str, groups: int, text_bytes: int = 1000) -> InputFile:
    parts = tuple(Part(group, group + 1, 10, text_bytes) for group in range(groups))
    return InputFile(path, groups * text_bytes, "v", "c", parts)


def sample(*files: InputFile, limit: int | None = None, most_bytes: int | None = None) -> tuple[Piece, ...]:
    source = Source("en", "raw/en", "text", None, files)
    return sampled(source, plan_units(files, 4, limit), most_bytes)


def test_a_hundredth_of_the_row_groups_is_looked_at_evenly_spread() -> None:
    picked = sample(parquet("a", 1500), parquet("b", 500))
    assert len(picked) == 20
    assert [(one.path, one.first) for one in picked][:3] == [("a", 50), ("a", 150), ("a", 250)]
    assert sum(one.path == "b" for one in picked) == 5
    assert all(one.end == one.first + 1 for one in picked)


def test_a_few_row_groups_are_looked_at_however_few_there_are() -> None:
    assert len(sample(parquet("a", 100))) == LEAST_PARTS
    assert [one.first for one in sample(parquet("a", 3))] == [0, 1, 2]


def test_the_sample_is_the_same_each_time() -> None:
    assert sample(parquet("a", 321), parquet("b", 7)) == sample(parquet("a", 321), parquet("b", 7))


def test_a_limit_keeps_the_sample_before_it() -> None:
    assert max(one.first for one in sample(parquet("a", 1000), limit=200)) < 20


def test_a_pod_that_begins_looks_at_no_more_text_than_it_may_but_at_something() -> None:
    assert sum(one.text_bytes for one in sample(parquet("a", 100, 1_000_000), most_bytes=3_500_000)) == 3_000_000
    assert len(sample(parquet("a", 100, 1_000_000), most_bytes=10)) == 1


def test_jsonl_is_looked_at_in_ranges_of_its_bytes() -> None:
    size = 1000 * RANGE_BYTES
    file = InputFile("a", size, "v", "c", (Part(0, size, 100_000, size // 2),), divisible=True)
    picked = sample(file)
    assert len(picked) == 10
    assert {one.end - one.first for one in picked} == {RANGE_BYTES}
    assert sum(one.text_bytes for one in picked) == pytest.approx(0.01 * size / 2, rel=0.01)


def test_a_claim_that_is_too_small_is_told_with_both_figures() -> None:
    with pytest.raises(BadConfig, match=r"about 4 TB, but the whole claim has 1\.1 TB") as caught:
        check_room(4 * 10**12, 0, 1_100_000_000_000, 10**15)
    assert caught.value.reason == "ClaimTooSmall"


def test_a_volume_with_too_little_room_left_is_told_with_both_figures() -> None:
    with pytest.raises(BadConfig, match=r"about 2 GB, but only 1\.5 GB are free"):
        check_room(4 * 10**9, 2 * 10**9, 10**12, 1_500_000_000)


def test_what_fits_exactly_has_room() -> None:
    check_room(100, 50, 100, 50)


def test_a_claim_of_unknown_size_is_not_in_the_way() -> None:
    check_room(10**15, 0, None, 0)


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (4.2e12, "4.2 TB"), (1.2e15, "1,200 TB")],
)
def test_bytes_have_a_unit_that_fits(size: float, words: str) -> None:
    assert in_words(size) == words
