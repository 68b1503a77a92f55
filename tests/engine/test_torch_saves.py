"""Checkpoints of the torch engine, written while training goes on: the same bits, and whole or not there."""

import json
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from engine.pretrain_runs import FOLDER, RUN_FOLDER, WORKERS, Pod, PretrainRun, kill, torch_run, wait_until
from engine.slow_disk import slow_disk
from engine.test_torch_engine import unfinished, weights
from trainingrun_workers.claim import Claim
from trainingrun_workers.pretrain.checkpoints import sizes
from trainingrun_workers.volume import read_marker

EnginePython = Callable[[str], Path]
SLOW: Final = 0.2  # seconds a file; a checkpoint has about ten
LATE: Final = 1.5  # seconds
SAVED: Final = re.compile(r"Saved step (\d+) in ([\d.]+) s; training stood still for ([\d.]+) s")

# Python runs it when it starts; a rank makes the folder before it reads what it is to write.
PROGRAM: Final = """
import os, time

make = os.mkdir

def mkdir(path, *rest, **named):
    if os.path.basename(path) == "state":
        time.sleep({seconds})
    make(path, *rest, **named)

os.mkdir = mkdir
"""


def late(folder: Path) -> dict[str, str]:
    """The environment of a pod that begins to write a checkpoint some steps after its making."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(PROGRAM.format(seconds=LATE))
    return {"PYTHONPATH": f"{folder}:{WORKERS}"}


# A write that never comes back, and seconds in place of the hour that one may take.
HANGING: Final = """
import os, time

from trainingrun_workers import watchdog

watchdog.LIMITS[watchdog.Activity.SAVING] = lambda timeout: 3.0
make = os.mkdir

def mkdir(path, *rest, **named):
    if os.environ.get("RANK") == "{rank}" and os.path.basename(path) == "state":
        time.sleep(3600)
    make(path, *rest, **named)

os.mkdir = mkdir
"""


def hanging(folder: Path, rank: int) -> dict[str, str]:
    """The environment of a pod one rank of which never ends writing its part of a checkpoint."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(HANGING.format(rank=rank))
    return {"PYTHONPATH": f"{folder}:{WORKERS}"}


@pytest.fixture(scope="module")
def at_once(engine_python: EnginePython, tmp_path_factory: pytest.TempPathFactory) -> PretrainRun:
    """A run on two ranks for which training stands still until each checkpoint is written; not to be changed."""
    run = torch_run(engine_python("nanotron"), tmp_path_factory.mktemp("at-once"), "fsdp2")
    run.spec["saves_in_background"] = False
    assert run.run().reason == "Completed"
    return run


@pytest.fixture
def run(engine_python: EnginePython, tmp_path: Path) -> Iterator[PretrainRun]:
    """The same with the engine's own way to save."""
    made = torch_run(engine_python("nanotron"), tmp_path, "fsdp2")
    yield made
    made.end()


@pytest.fixture
def endless(run: PretrainRun) -> PretrainRun:
    """One that saves nothing after its first checkpoint, the untrained model."""
    run.config["tokens"]["train_steps"] = 100_000
    run.spec["checkpoint_every"] = 100_000
    return run


def is_writing(run: PretrainRun, step: int) -> bool:
    return bool(list(run.store.folder.glob(f".unfinished-*-step-{step:08d}")))


def until_trained_while_writing(run: PretrainRun, pod: Pod) -> None:
    """Until steps have been done though the first checkpoint is not whole."""
    curve = run.folder / "metrics.jsonl"
    wait_until(lambda: (curve.is_file() and len(run.curve()) >= 2) or pod.process.poll() is not None, pause=0.01)
    assert is_writing(run, 0), pod.log.read_text()[-4000:]


def test_a_checkpoint_holds_its_own_step_though_training_went_on(
    at_once: PretrainRun, run: PretrainRun, tmp_path: Path
) -> None:
    assert run.run(**late(tmp_path / "late")).reason == "Completed"
    saves = {int(step): (float(all_of_it), float(still)) for step, all_of_it, still in SAVED.findall(_log(run))}
    assert sorted(saves) == [0, 4, 8, 12]
    assert saves[0][0] > LATE
    assert saves[0][1] < LATE / 2, "the first waits for none before it"
    assert saves[12][1] > LATE, "the last is waited for"
    assert run.curve() == at_once.curve()
    assert [weights(run, step) for step in saves] == [weights(at_once, step) for step in saves]

    for step in (8, 12):
        shutil.rmtree(run.store.path(step))
    assert unfinished(run).run().reason == "Completed"
    assert run.curve() == at_once.curve(), "the moments are those of step 4 as well"
    assert weights(run, 12) == weights(at_once, 12)


def test_killed_while_one_is_written_it_goes_on_from_the_one_before_to_the_same_bits(
    at_once: PretrainRun, run: PretrainRun, tmp_path: Path
) -> None:
    pod = run.start(**slow_disk(tmp_path / "slow", SLOW))
    wait_until(lambda: is_writing(run, 8) or pod.process.poll() is not None, pause=0.01)
    pod.end()
    assert run.store.newest() == 4
    assert all((read_marker(path) or {})["files"] == sizes(path) for path in map(run.store.path, (0, 4)))
    run.attempt += 1
    assert run.run().reason == "Completed"
    assert run.curve() == at_once.curve()
    assert weights(run, 12) == weights(at_once, 12)
    assert run.checkpoints() == [f"step-{step:08d}" for step in (0, 4, 8, 12)]


@pytest.mark.long
def test_a_rank_that_dies_while_one_is_written_leaves_no_half_of_it(endless: PretrainRun, tmp_path: Path) -> None:
    pod = endless.start(**slow_disk(tmp_path / "slow", SLOW))
    until_trained_while_writing(endless, pod)
    kill(pod.ranks()[1])
    assert pod.wait().exit_code == 75
    assert endless.store.complete() == ()


def test_a_stop_waits_for_the_one_that_is_written_and_saves_the_step_as_well(
    endless: PretrainRun, tmp_path: Path
) -> None:
    pod = endless.start(**slow_disk(tmp_path / "slow", SLOW))
    until_trained_while_writing(endless, pod)
    pod.process.send_signal(signal.SIGTERM)
    result = pod.wait()
    assert result.reason == "Preempted"
    assert result.step
    assert endless.checkpoints() == ["step-00000000", f"step-{result.step:08d}"]


def test_another_attempt_that_takes_over_while_one_is_written_keeps_it_from_becoming_whole(
    endless: PretrainRun, tmp_path: Path
) -> None:
    pod = endless.start(**slow_disk(tmp_path / "slow", SLOW))
    until_trained_while_writing(endless, pod)
    Claim(endless.volume / FOLDER, "uid-1", endless.attempt + 1).take()
    result = pod.wait()
    assert (result.exit_code, result.reason) == (75, "Fenced")
    assert endless.checkpoints() == []


def test_a_bad_loss_waits_for_the_one_that_is_written(run: PretrainRun, tmp_path: Path) -> None:
    run.config["optimizer"]["learning_rate_scheduler"] |= {"learning_rate": 1e38, "lr_warmup_steps": 1}
    result = run.run(**slow_disk(tmp_path / "slow", SLOW))
    assert (result.exit_code, result.reason) == (65, "NonFiniteLoss")
    assert run.checkpoints() == ["step-00000000"]


def test_a_volume_that_fills_up_while_one_is_written_loses_nothing(
    at_once: PretrainRun, engine_python: EnginePython, tmp_path: Path
) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    one = 1 + len(list(at_once.store.path(12).rglob("*")))
    inodes = 1 + len(list(at_once.volume.rglob("*"))) - one - one // 2  # room for the steps 0 and 4 and half of 8
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=64m,nr_inodes={inodes}", "tmpfs", volume], check=True)
    try:
        run = torch_run(engine_python("nanotron"), tmp_path, "fsdp2")
        full = run.run()
        assert (full.exit_code, full.reason, full.step) == (75, "VolumeFull", 4)
        assert "The volume had no room for checkpoint 8" in full.message
        assert run.checkpoints() == ["step-00000000", "step-00000004"]

        subprocess.run(["mount", "-o", "remount,nr_inodes=100000", volume], check=True)
        assert run.run().reason == "Completed"
        assert run.curve() == at_once.curve()
        assert weights(run, 12) == weights(at_once, 12)
    finally:
        subprocess.run(["umount", "--lazy", volume], check=True)


def test_a_writer_that_hangs_while_steps_go_on_is_told_of_and_ends_the_attempt(
    endless: PretrainRun, tmp_path: Path
) -> None:
    result = endless.run(**hanging(tmp_path / "hanging", rank=1))
    assert (result.exit_code, result.reason) == (75, "Hang")
    where = f"{endless.store.folder}/.unfinished-uid-1-a0-step-00000000"
    assert re.match(
        rf"Checkpoint 0 has been written behind training for \d+ s into {where}, longer than", result.message
    )
    assert "longer than hangTimeout allows: stacks and records of the ranks are in " in result.message
    assert len(endless.curve()) > 2, "steps went on meanwhile"
    stacks = endless.volume / RUN_FOLDER / "stacks/pretrain-a0-n0-r1.txt"
    assert "in mkdir" in stacks.read_text(), "where the writer waits"
    reported = endless.volume / RUN_FOLDER / "snapshots/pretrain-a0-0.json"
    (note,) = json.loads(reported.read_text())["notes"]
    assert note.startswith("Checkpoint 0 has been written behind training for more than ")
    assert endless.store.complete() == (), "nothing of it counts"


def _log(run: PretrainRun) -> str:
    return run.pods[-1].log.read_text()
