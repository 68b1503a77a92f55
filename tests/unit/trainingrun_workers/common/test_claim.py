from pathlib import Path

import pytest

from trainingrun_workers.claim import Claim
from trainingrun_workers.errors import Retry


def fenced(claim: Claim) -> str:
    with pytest.raises(Retry) as caught:
        claim.check()
    assert (caught.value.exit_code, caught.value.reason) == (75, "Fenced")
    return caught.value.message


def test_a_folder_belongs_to_the_attempt_that_claimed_it_last(tmp_path: Path) -> None:
    first, second = Claim(tmp_path, "uid", 1), Claim(tmp_path, "uid", 2)
    first.take()
    first.check()
    second.take()

    second.check()
    assert f"Attempt 1 of run uid no longer holds {tmp_path}" in fenced(first)


def test_a_claim_is_never_lowered(tmp_path: Path) -> None:
    Claim(tmp_path, "uid", 2).take()
    with pytest.raises(Retry, match="Attempt 1"):
        Claim(tmp_path, "uid", 1).take()

    assert Claim(tmp_path, "uid", 2).held()


def test_another_run_takes_the_folder_over_and_the_first_can_not_take_it_back(tmp_path: Path) -> None:
    first, other = Claim(tmp_path, "uid-1", 7), Claim(tmp_path, "uid-2", 1)
    first.take()
    other.take()

    other.check()
    fenced(first)
    with pytest.raises(Retry, match="Attempt 6"):
        Claim(tmp_path, "uid-1", 6).take()


def test_an_attempt_may_claim_twice(tmp_path: Path) -> None:
    claim = Claim(tmp_path, "uid", 1)
    claim.take()
    claim.take()

    assert [path.name for path in (tmp_path / "claims").iterdir()] == ["00000001.json"]


def test_an_attempt_that_slept_while_it_claimed_finds_its_number_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = Claim(tmp_path, "uid", 1), Claim(tmp_path, "uid", 2)
    make = Claim._make

    def sleepy(claim: Claim, path: Path) -> bool:
        if claim == old:
            new.take()
        return make(claim, path)

    monkeypatch.setattr(Claim, "_make", sleepy)
    with pytest.raises(Retry, match="Attempt 1"):
        old.take()
    new.check()


def test_a_claim_that_is_being_made_is_nobodys(tmp_path: Path) -> None:
    claim = Claim(tmp_path, "uid", 1)
    claim.take()
    (tmp_path / "claims/00000002.json").touch()

    assert not claim.held()
    Claim(tmp_path, "uid", 2).take()
    assert Claim(tmp_path, "uid", 2).held()


def test_a_folder_without_claims_is_held_by_nobody(tmp_path: Path) -> None:
    fenced(Claim(tmp_path, "uid", 1))
