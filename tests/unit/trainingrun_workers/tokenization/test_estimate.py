"""How many bytes the tokens will take, and whether they have room."""

import pytest

from trainingrun_workers.errors import BadConfig
from trainingrun_workers.tokenization.estimate import check_room, estimate, in_words
from trainingrun_workers.tokenization.plan import InputFile, plan_shards


def test_an_estimate_is_the_sampled_density_and_an_end_for_each_document() -> None:
    shards = plan_shards([InputFile("a", 500, 10, 1000), InputFile("b", 500, 10, 2000)], 2, None)
    expected = estimate(shards, 0.25, token_bytes=4)
    assert expected.tokens == 750 + 20
    assert expected.size == 770 * 4 + 20 * 8


def test_a_limit_makes_the_estimate_smaller() -> None:
    shards = plan_shards([InputFile("a", 500, 10, 1000)], 2, 5)
    assert estimate(shards, 0.25, token_bytes=2).tokens == 125 + 5


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
