import contextlib
import os
import struct
import time
from pathlib import Path

import pytest

from trainingrun_workers.background_write import WriteSign, late_notes
from trainingrun_workers.contract import ExitCode, Result
from trainingrun_workers.errors import Retry, StageError
from trainingrun_workers.launch import RankOutcome, verdict
from trainingrun_workers.launched import Activity
from trainingrun_workers.pretrain.preflight import deadline
from trainingrun_workers.watchdog import HangRule, Watchdog


def outcome(rank: int, code: ExitCode, reason: str) -> RankOutcome:
    return RankOutcome(rank, Result(int(code), reason, f"{reason} on {rank}."))


def ended(*outcomes: RankOutcome) -> StageError:
    with pytest.raises(StageError) as caught:
        verdict(outcomes)
    return caught.value


def test_a_gang_is_done_when_every_rank_is() -> None:
    done = [outcome(rank, ExitCode.DONE, "Completed") for rank in range(3)]

    assert verdict(done) is done[0].result


def test_a_rank_that_left_no_word_is_tried_again() -> None:
    error = ended(outcome(0, ExitCode.DONE, "Completed"), RankOutcome(1, None))

    assert (error.exit_code, error.reason) == (ExitCode.RETRY, "RankLost")


def test_the_cause_is_told_and_not_what_followed_from_it() -> None:
    lost, full = outcome(0, ExitCode.RETRY, "PeerLost"), outcome(1, ExitCode.RETRY, "VolumeFull")

    assert ended(lost, full).reason == "VolumeFull"
    assert ended(lost, outcome(1, ExitCode.BAD_DATA, "TokensTorn")).exit_code == ExitCode.BAD_DATA
    assert ended(lost, RankOutcome(1, None)).reason == "RankLost"


def beat(folder: Path, activity: Activity, age: float) -> None:
    (folder / "0.beat").write_bytes(struct.pack("<qqd", 41, activity, time.monotonic() - age))


@pytest.mark.parametrize(
    ("activity", "age", "hangs"),
    [
        (Activity.TRAINING, 59, False),
        (Activity.TRAINING, 61, True),
        (Activity.STARTING, 599, False),
        (Activity.STARTING, 601, True),
        (Activity.SAVING, 3500, False),
        (Activity.SAVING, 3601, True),
    ],
)
def test_how_long_a_rank_may_be_silent_depends_on_what_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, activity: Activity, age: float, hangs: bool
) -> None:
    monkeypatch.setattr("trainingrun_workers.watchdog.STACK_SECONDS", 0)
    watchdog = Watchdog(tmp_path, HangRule(60, tmp_path / "stacks", "pretrain-a0"))
    beat(tmp_path, activity, age)

    if not hangs:
        watchdog.check()
        return
    with pytest.raises(Retry, match="in step 42") as caught:
        watchdog.check()
    assert caught.value.reason == "Hang"


@pytest.mark.parametrize(("age", "hangs"), [(1700, False), (1801, True)])
def test_a_pre_flight_that_may_take_long_is_no_hang_before_its_own_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: float, hangs: bool
) -> None:
    monkeypatch.setattr("trainingrun_workers.watchdog.STACK_SECONDS", 0)
    longest = deadline.limit({"enabled": True, "timeout": 1200.0})
    rule = HangRule(60, tmp_path / "stacks", "pretrain-a0", preflight=longest)
    beat(tmp_path, Activity.STARTING, age)
    with pytest.raises(Retry) if hangs else contextlib.nullcontext():
        Watchdog(tmp_path, rule).check()


@pytest.mark.parametrize(("timeout", "limit"), [(60, 3600), (600, 6000)])
def test_a_checkpoint_behind_training_may_take_as_long_as_one_that_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, timeout: float, limit: float
) -> None:
    monkeypatch.setattr("trainingrun_workers.watchdog.STACK_SECONDS", 0)
    monkeypatch.setattr("trainingrun_workers.watchdog.CHECK_SECONDS", 0)
    watchdog = Watchdog(tmp_path, HangRule(timeout, tmp_path / "stacks", "pretrain-a0-n0"))
    now = time.monotonic()

    def look() -> None:
        beat(tmp_path, Activity.TRAINING, 1)
        watchdog.check()

    def at(age: float) -> None:
        monkeypatch.setattr("trainingrun_workers.background_write.time.monotonic", lambda: now - age)
        sign.during(300, Path("/volume/.unfinished-step-00000300"), unhindered)

    def unhindered() -> None:
        monkeypatch.setattr("trainingrun_workers.background_write.time.monotonic", lambda: now)
        look()

    sign = WriteSign(tmp_path, 0)
    at(limit - 10)
    with pytest.raises(Retry, match="^Checkpoint 300 has been written behind training for ") as caught:
        at(limit + 1)
    assert caught.value.reason == "Hang"
    assert "s into /volume/.unfinished-step-00000300, longer than hangTimeout allows: " in caught.value.message
    look()  # over, whatever came of it


def test_a_slow_checkpoint_behind_training_is_told_of_before_it_ends_the_attempt() -> None:
    assert late_notes(300, Path("/volume/x"), 359, 3600) == ()
    (note,) = late_notes(300, Path("/volume/x"), 361, 3600)
    assert note.startswith("Checkpoint 300 has been written behind training for more than 360 s into /volume/x: at 3,6")


def test_a_rank_that_has_just_started_has_no_beat_to_miss(tmp_path: Path) -> None:
    (tmp_path / "0.beat").touch()
    (tmp_path / "0.pid").write_text(str(os.getpid()))

    Watchdog(tmp_path, HangRule(0, tmp_path / "stacks", "pretrain-a0")).check()
