"""A process is known by pid, start time and boot, so that no stranger is taken for it, or ended."""

import os
from pathlib import Path

import pytest
from local_cluster.errors import ClusterError
from local_cluster.processes import Process, start_time


@pytest.fixture
def sleeper(tmp_path: Path) -> Process:
    return Process("sleeper", tmp_path)


def written_pid_file(process: Process) -> Path:
    return process.folder / "pids" / process.name


def test_a_started_process_is_known_and_stopped(sleeper: Process) -> None:
    sleeper.start(["sleep", "60"])
    pid = sleeper.pid()
    assert pid is not None
    sleeper.stop()
    assert sleeper.pid() is None
    assert start_time(pid) is None
    assert not written_pid_file(sleeper).exists()


def test_a_process_that_was_killed_is_known_to_be_dead(sleeper: Process) -> None:
    sleeper.start(["sleep", "60"])
    pid = sleeper.pid()
    assert pid is not None
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    assert sleeper.pid() is None


def test_a_stranger_with_the_same_number_is_neither_it_nor_ended(sleeper: Process) -> None:
    sleeper.start(["sleep", "60"])
    file, recorded = written_pid_file(sleeper), written_pid_file(sleeper).read_text()
    pid, started, boot = recorded.split()
    try:
        file.write_text(f"{pid} {int(started) - 1} {boot}")
        assert sleeper.pid() is None
        sleeper.stop()
        assert start_time(int(pid)) == started
    finally:
        file.write_text(recorded)
        sleeper.stop()


def test_a_process_of_an_earlier_boot_is_dead(sleeper: Process) -> None:
    sleeper.start(["sleep", "60"])
    file, recorded = written_pid_file(sleeper), written_pid_file(sleeper).read_text()
    try:
        file.write_text(recorded.rpartition(" ")[0] + " 00000000-0000-0000-0000-000000000000")
        assert sleeper.pid() is None
    finally:
        file.write_text(recorded)
        sleeper.stop()


def test_a_second_start_leaves_the_first_one_running(sleeper: Process) -> None:
    sleeper.start(["sleep", "60"])
    first = sleeper.pid()
    sleeper.start(["sleep", "60"])
    assert sleeper.pid() == first
    sleeper.stop()


def test_one_that_ends_while_starting_is_told_with_its_last_words(tmp_path: Path) -> None:
    broken = Process("broken", tmp_path)
    broken.start(["sh", "-c", "echo no such port; exit 1"])
    with pytest.raises(ClusterError, match=r"(?s)broken ended while starting: see .*broken\.log.*no such port"):
        broken.wait_until(lambda: False, seconds=5)


def test_one_that_ignores_a_polite_word_is_ended_all_the_same(tmp_path: Path) -> None:
    stubborn = Process("stubborn", tmp_path)
    stubborn.start(["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"])
    stubborn.wait_until(lambda: "ready" in stubborn.log.read_text(), seconds=5)
    stubborn.stop(grace=0.2)
    assert stubborn.pid() is None
