"""A pod ends although its volume no longer answers."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from trainingrun_workers import __main__ as entry
from trainingrun_workers.contract import NODE_VARIABLE, Result
from trainingrun_workers.errors import Retry
from trainingrun_workers.launched import BEAT, Activity
from trainingrun_workers.patience import within
from trainingrun_workers.watchdog import HangRule, Watchdog


@pytest.fixture
def silence() -> Iterator[threading.Event]:
    """What a volume waits for that does not answer."""
    event = threading.Event()
    yield event
    event.set()


def torn(*_: object) -> None:
    raise OSError(5, "Input/output error")


def test_work_that_ends_in_time_yields_what_it_makes_or_raises() -> None:
    assert within(10, lambda: 7) == 7
    with pytest.raises(OSError, match="Input/output error"):
        within(10, torn)


def test_work_that_does_not_end_is_given_up(silence: threading.Event) -> None:
    with pytest.raises(TimeoutError, match=r"no answer within 0.05 s"):
        within(0.05, silence.wait)


@pytest.mark.parametrize("fault", ["silent", "torn"])
def test_ranks_that_hang_are_ended_although_the_volume_takes_no_stacks(
    fault: str, silence: threading.Event, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("STACK_SECONDS", "KEEP_SECONDS"):
        monkeypatch.setattr(f"trainingrun_workers.watchdog.{name}", 0.05)
    ways = {"silent": lambda _: silence.wait(), "torn": torn}
    monkeypatch.setattr("trainingrun_workers.watchdog.make_folder", ways[fault])
    monkeypatch.setenv(NODE_VARIABLE, "gpu-a")
    (tmp_path / "0.beat").write_bytes(BEAT.pack(41, Activity.TRAINING, time.monotonic() - 61))
    with pytest.raises(Retry, match="their stacks could not be kept on the volume ") as caught:
        Watchdog(tmp_path, HangRule(60, tmp_path / "stacks", "pretrain-a0")).check()
    assert caught.value.reason == "Hang"
    assert caught.value.message.startswith("Rank 0 on node gpu-a was silent for 61 s in step 42 (training)")


def test_last_words_are_left_although_the_volume_takes_none(
    silence: threading.Event, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(entry.TERMINATION_VARIABLE, str(tmp_path / "words"))
    monkeypatch.setattr(entry, "VOLUME_SECONDS", 0.05)
    monkeypatch.setattr(entry, "write_atomic", lambda *_: silence.wait())
    words = entry.LastWords()
    words.file = tmp_path / "result"
    assert words.leave(Result(75, "Hang", "It hung.")) == 75
    told = Result.from_text((tmp_path / "words").read_text())
    assert told is not None
    assert told.reason == "Hang"
