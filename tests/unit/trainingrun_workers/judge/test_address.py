"""The judge's address out of a Secret's keys, and sentences that never show what is in them."""

import pytest

from trainingrun_workers.errors import BadConfig
from trainingrun_workers.judge.address import Address

KEY = "sk-0123456789"
WHOLE = {"JUDGE_BASE_URL": "https://judge.example/v1", "JUDGE_MODEL": "large", "JUDGE_API_KEY": KEY}


def test_an_address_is_taken_as_people_write_it() -> None:
    written = {
        "JUDGE_BASE_URL": "https://judge.example/v1/chat/completions/\n", "JUDGE_MODEL": " large",
        "JUDGE_API_KEY": KEY + "\n",
    }  # fmt: skip
    assert Address.of("judge", written) == Address.of("judge", WHOLE)
    assert Address.of("judge", WHOLE | {"JUDGE_API_KEY": ""}).key is None


def test_neither_the_url_nor_the_key_is_in_its_text() -> None:
    assert "judge.example" not in repr(Address.of("judge", WHOLE))
    assert KEY not in repr(Address.of("judge", WHOLE))


@pytest.mark.parametrize("name", ["JUDGE_BASE_URL", "JUDGE_MODEL"])
def test_a_key_that_is_missing_is_named(name: str) -> None:
    with pytest.raises(BadConfig, match=f"Secret judge has no key {name}"):
        Address.of("judge", WHOLE | {name: " "})


@pytest.mark.parametrize(
    "url",
    [
        "judge.example/v1", "ftp://judge.example", "https://", "https://me:hidden@judge.example/v1",
        "https://judge.example/v1?key=hidden", "https://judge.example:hidden/v1", "https://[hidden/v1",
    ],
)  # fmt: skip
def test_an_address_that_can_be_none_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(BadConfig, match="JUDGE_BASE_URL of Secret judge is no address") as refused:
        Address.of("judge", WHOLE | {"JUDGE_BASE_URL": url})
    assert "hidden" not in refused.value.message


def test_a_key_that_no_header_carries_is_refused_without_being_shown() -> None:
    with pytest.raises(BadConfig, match="JUDGE_API_KEY of Secret judge has characters") as refused:
        Address.of("judge", WHOLE | {"JUDGE_API_KEY": "hidden\nhidden"})
    assert "hidden" not in refused.value.message
