"""A pretrain stage that is killed and stopped again and again ends as one that nobody disturbed, bit for bit."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.pretrain_runs import Pod, PretrainRun, kill, wait_until
from engine.slow_disk import slow_disk
from trainingrun_workers.pretrain.checkpoints import sizes
from trainingrun_workers.volume import read_marker

EnginePython = Callable[[str], Path]
STEPS = 60
KILLED_AFTER = (10, 20, 0, 40)  # saved steps; 0: as soon as its ranks have started


def long(run: PretrainRun) -> PretrainRun:
    run.config["tokens"]["train_steps"] = STEPS
    run.config["optimizer"]["learning_rate_scheduler"] |= {"lr_decay_starting_step": 40, "lr_decay_steps": 20}
    run.spec |= {"checkpoint_every": 10, "keep_last": 3}
    return run


@pytest.fixture(scope="module", params=[1, 2], ids=["dp1", "dp2"])
def undisturbed(
    request: pytest.FixtureRequest, engine_python: EnginePython, tmp_path_factory: pytest.TempPathFactory
) -> PretrainRun:
    run = long(PretrainRun(engine_python("nanotron"), tmp_path_factory.mktemp("undisturbed"), ranks=request.param))
    assert run.run().reason == "Completed"
    return run


@pytest.fixture
def other(undisturbed: PretrainRun, tmp_path: Path) -> Iterator[PretrainRun]:
    """A run of the same, for which each save takes some seconds, so that it can be hit."""
    run = long(PretrainRun(undisturbed.python, tmp_path, ranks=undisturbed.ranks))
    yield run
    run.end()


def steps_of(run: PretrainRun) -> list[int]:
    return [line["step"] for line in run.curve()]


def kill_pod(pod: Pod) -> None:
    """As when the node loses its power: nothing of the pod has time for a word."""
    pod.end()


@pytest.mark.parametrize(
    "killed_after", [KILLED_AFTER, pytest.param((10, 20, 0, 30, 0, 40), marks=pytest.mark.long)], ids=["some", "many"]
)
@pytest.mark.parametrize("undisturbed", [pytest.param(1, marks=pytest.mark.long), 2], ids=["dp1", "dp2"], indirect=True)
def test_any_number_of_kills_and_stops_changes_nothing(
    undisturbed: PretrainRun, other: PretrainRun, tmp_path: Path, killed_after: tuple[int, ...]
) -> None:
    slow = slow_disk(tmp_path / "slow", 0.005)
    for number, step in enumerate(killed_after):
        pod = other.start(**slow)
        wait_until(lambda at=step, ranks=pod.ranks: (other.store.newest() or 0) >= at and len(ranks()) == other.ranks)
        if number % 2:
            kill_pod(pod)
        else:
            kill(pod.ranks()[-1])
            assert pod.wait().exit_code == 75
        other.attempt += 1
    pod = other.start(**slow)
    wait_until(lambda: " step " in pod.log.read_text())
    pod.process.send_signal(signal.SIGTERM)
    stopped = pod.wait()
    assert (stopped.exit_code, stopped.step) == (143, other.store.newest())
    assert len(other.store.complete()) > other.spec["keep_last"], "what is saved on the way out removes nothing"
    other.attempt += 1

    assert other.run().reason == "Completed"
    assert other.curve() == undisturbed.curve()
    assert steps_of(other) == list(range(1, STEPS + 1))
    assert other.weights(STEPS) == undisturbed.weights(STEPS)
    markers = [read_marker(run.store.path(STEPS)) for run in (other, undisturbed)]
    assert markers[0] and markers[1]
    assert markers[0]["tokensBySource"] == markers[1]["tokensBySource"]


MOMENTS = (0.0, 0.01, 0.03, 0.06, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9, 1.2, 1.5, 1.9, 2.4)  # seconds into a save


@pytest.mark.parametrize("moments", [MOMENTS[1::3], pytest.param(MOMENTS, marks=pytest.mark.long)], ids=["some", "all"])
@pytest.mark.parametrize("undisturbed", [1], ids=["dp1"], indirect=True)
def test_killed_at_any_moment_of_a_save_the_newest_whole_checkpoint_is_gone_on_from(
    undisturbed: PretrainRun, other: PretrainRun, tmp_path: Path, moments: tuple[float, ...]
) -> None:
    slow = slow_disk(tmp_path / "slow", 0.02)
    seen = {"half": 0, "whole": 0}
    for moment in moments:
        before = other.store.complete()
        pod = other.start(**slow)
        until_saving(other, pod)
        time.sleep(moment)
        kill_pod(pod)
        after = other.store.complete()
        assert max(after, default=0) >= max(before, default=0)
        assert all(is_whole(path) for path in map(other.store.path, after))
        seen["whole" if after != before else "half"] += 1
        other.attempt += 1

    assert seen["half"] >= len(moments) * 5 / 14 and seen["whole"] >= 1, (
        "the moments lie before, within and after the save"
    )
    assert other.run().reason == "Completed"
    assert other.curve() == undisturbed.curve()
    assert other.weights(STEPS) == undisturbed.weights(STEPS)
    assert not list(other.store.folder.glob(".unfinished-*"))


@pytest.mark.parametrize("undisturbed", [2], ids=["dp2"], indirect=True)
def test_an_interval_that_is_found_out_changes_no_weight(undisturbed: PretrainRun, other: PretrainRun) -> None:
    other.spec |= {"auto_interval": True, "evaluate_every": 25, "keep_last": 100}
    assert other.run().reason == "Completed"

    # A save costs so little against five days between two failures that none but the first and the asked-for is made.
    assert other.store.complete() == (0, 10, 25, 50, STEPS)
    assert other.curve() == undisturbed.curve()
    assert other.weights(STEPS) == undisturbed.weights(STEPS)


@pytest.mark.parametrize("undisturbed", [1], ids=["dp1"], indirect=True)
def test_where_failures_are_frequent_the_interval_becomes_short(undisturbed: PretrainRun, other: PretrainRun) -> None:
    other.spec |= {"auto_interval": True, "seconds_between_failures": 0.01, "keep_last": 100}
    assert other.run().reason == "Completed"

    steps = other.store.complete()
    assert steps[:2] == (0, 10)
    assert len(steps) > 10
    assert other.weights(STEPS) == undisturbed.weights(STEPS)


@pytest.mark.parametrize("undisturbed", [1], ids=["dp1"], indirect=True)
def test_a_volume_that_fills_up_in_the_middle_of_a_save_loses_nothing(
    undisturbed: PretrainRun, engine_python: EnginePython, tmp_path: Path
) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    inodes = len(list(undisturbed.store.path(STEPS).rglob("*")))
    mounted = ["mount", "-t", "tmpfs", "-o", f"size=64m,nr_inodes={40 + 2 * inodes + inodes // 2}", "tmpfs", volume]
    subprocess.run(mounted, check=True)
    try:
        run = long(PretrainRun(engine_python("nanotron"), tmp_path))
        run.spec["keep_last"] = 100
        full = run.run()
        assert (full.exit_code, full.reason, full.step) == (75, "VolumeFull", 10)
        assert run.checkpoints() == ["step-00000000", "step-00000010"]
        assert all(is_whole(run.store.path(step)) for step in (0, 10))
        assert run.run().reason == "VolumeFull", "no room has been made"

        subprocess.run(["mount", "-o", "remount,nr_inodes=100000", volume], check=True)
        assert run.run().reason == "Completed"
        assert run.curve() == undisturbed.curve()
        assert run.weights(STEPS) == undisturbed.weights(STEPS)
    finally:
        subprocess.run(["umount", "--lazy", volume], check=True)


def until_saving(run: PretrainRun, pod: Pod) -> None:
    """Wait until the attempt begins to write a checkpoint."""
    mine = f".unfinished-uid-1-a{run.attempt}-*"
    wait_until(lambda: bool(list(run.store.folder.glob(mine))) or pod.process.poll() is not None, pause=0.002)
    assert pod.process.poll() is None, pod.log.read_text()[-4000:]


def is_whole(folder: Path) -> bool:
    marker = read_marker(folder)
    return marker is not None and marker["files"] == sizes(folder)
