import os
import re
import sys
import threading
import time
from pathlib import Path

import pytest

from trainingrun_workers import pod_log
from trainingrun_workers.pod_log import KEPT_ATTEMPTS, Output, PodLog, parsed

STAMPED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z (.*)")


def texts(path: Path) -> list[str]:
    found = [STAMPED.fullmatch(line) for line in path.read_text().splitlines()]
    return [one[1] if one else "?" for one in found]


def kept(path: Path, *lines: str, limit: int = 10_000) -> None:
    log = PodLog(path, limit)
    for line in lines:
        log.add(line)
    log.close()


def test_what_is_printed_lies_on_the_volume_line_by_line_behind_its_time(tmp_path: Path) -> None:
    path = tmp_path / "logs/pretrain-a1-0.log"
    with Output() as output:
        output.keep(path)
        print("one")
        print("two\nthree", file=sys.stderr)
        sys.stdout.write("10 %\r90 %\r")
        sys.stdout.write("100 %\nnot ended")
    print("afterwards")
    assert texts(path) == ["one", "two", "three", "100 %", "not ended"]


def test_a_crash_has_its_traceback_there_too(tmp_path: Path) -> None:
    path = tmp_path / "logs/convert-a1-0.log"
    with pytest.raises(KeyError, match="weights"), Output() as output:
        output.keep(path)
        raise KeyError("weights")
    assert texts(path)[0] == "Traceback (most recent call last):"
    assert texts(path)[-1] == "KeyError: 'weights'"


def test_a_pod_that_comes_in_the_place_of_another_goes_on_in_its_log(tmp_path: Path) -> None:
    path = tmp_path / "tokenize-a1-3.log"
    kept(path, "of the first")
    kept(path, "of the second")
    assert texts(path) == ["of the first", "of the second"]


def test_a_log_stays_within_twice_its_limit_and_keeps_the_newest(tmp_path: Path) -> None:
    path = tmp_path / "pretrain-a1-0.log"
    for number in range(10):
        kept(path, *(f"{number} {'x' * 70}" for _ in range(10)), limit=3000)
    files = sorted(tmp_path.iterdir())
    assert [one.name for one in files] == ["pretrain-a1-0.log", "pretrain-a1-0.log.1"]
    assert all(one.stat().st_size <= 3000 for one in files)
    assert texts(path)[-1].startswith("9 ")
    assert sum(one.stat().st_size for one in files) > 3000


def test_the_logs_of_old_attempts_go(tmp_path: Path) -> None:
    for number in range(1, KEPT_ATTEMPTS + 6):
        (tmp_path / f"pretrain-a{number}-0.log").touch()
    (tmp_path / "pretrain-a1-0.log.1").touch()
    (tmp_path / "pretrain-a1-1.log").touch()
    (tmp_path / "sft-pretrain-a1-0.log").touch()
    kept(tmp_path / f"pretrain-a{KEPT_ATTEMPTS + 6}-0.log", "new")
    left = {parsed(one.name) for one in tmp_path.iterdir()}
    of_this = {one[1] for one in left if one and (one[0], one[2]) == ("pretrain", 0)}
    assert of_this == set(range(7, KEPT_ATTEMPTS + 7))
    assert {("pretrain", 1, 1, False), ("sft-pretrain", 1, 0, False)} <= left


def test_a_volume_that_does_not_answer_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pod_log, "CLOSE_SECONDS", 0.2)
    monkeypatch.setattr(pod_log, "WAITING", 100)
    answers = threading.Event()
    monkeypatch.setattr(pod_log, "make_folder", lambda folder: answers.wait(20))
    log = PodLog(tmp_path / "pretrain-a1-0.log")
    log.add("first")
    deadline = time.monotonic() + 10
    while log._waiting and time.monotonic() < deadline:
        time.sleep(0.01)
    begun = time.monotonic()
    for number in range(1000):
        log.add(str(number))
    log.close()
    assert time.monotonic() - begun < 2
    answers.set()
    log._thread.join(10)
    assert texts(tmp_path / "pretrain-a1-0.log")[-2:] == ["99", "… 900 lines left out: the volume did not keep up."]


def test_a_volume_that_refuses_changes_nothing_for_the_stage(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    kept(tmp_path / "logs/pretrain-a1-0.log", "lost")


def test_a_forked_process_prints_without_keeping(tmp_path: Path) -> None:
    log = PodLog(tmp_path / "evaluate-a1-0.log")
    log.add("parent")
    with log._lock:  # as it may be at any moment when another thread forks
        child = os.fork()
        if child == 0:
            log.add("child")
            os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    log.close()
    assert texts(tmp_path / "evaluate-a1-0.log") == ["parent"]


@pytest.mark.parametrize("name", ["pretrain-a1-0.txt", "notes.log", "pretrain-a1.log", "pretrain-a1-0.log.2"])
def test_other_files_are_no_logs(name: str) -> None:
    assert parsed(name) is None
