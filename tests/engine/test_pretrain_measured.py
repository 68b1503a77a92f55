"""What a gang tells of itself while it trains: figures, a rank that is slow, what a hang waited for, a profile."""

import gzip
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.pretrain_runs import RUN_FOLDER, SEQUENCE, Pod, PretrainRun, slowly, wait_until
from engine.silent_disk import silent_disk
from trainingrun_workers.contract import Answer, Profile, Snapshot
from trainingrun_workers.pretrain.flops import TokenCost
from trainingrun_workers.volume import write_atomic

EnginePython = Callable[[str], Path]


@pytest.fixture
def gang(engine_python: EnginePython, tmp_path: Path) -> Iterator[PretrainRun]:
    """Two ranks of the torch engine."""
    made = PretrainRun(engine_python("nanotron"), tmp_path, ranks=2)
    made.spec["engine"] = "torch"
    yield made
    made.end()


def snapshot(run: PretrainRun) -> Snapshot:
    file = run.volume / RUN_FOLDER / f"snapshots/pretrain-a{run.attempt}-0.json"
    return Snapshot.from_dict(json.loads(file.read_text()))


def process_of(pod: Pod, rank: int) -> int:
    words = f"RANK={rank}".encode()
    (found,) = (one for one in pod.ranks() if words in Path(f"/proc/{one}/environ").read_bytes().split(b"\0"))
    return found


def trained(run: PretrainRun, pod: Pod, lines: int) -> Pod:
    """The pod, once its curve has so many lines."""
    file = run.folder / "metrics.jsonl"
    wait_until(lambda: pod.process.poll() is not None or (file.is_file() and len(run.lines()) >= lines))
    assert pod.process.poll() is None, pod.log.read_text()[-4000:]
    return pod


@pytest.mark.parametrize("engine", ["torch", "nanotron"])
def test_each_line_of_the_curve_tells_how_the_time_was_used(gang: PretrainRun, engine: str) -> None:
    gang.spec["engine"] = engine
    assert gang.run().reason == "Completed"
    cost = TokenCost.of(gang.config["model"]["model_config"], SEQUENCE).full
    for line in gang.lines()[1:]:
        assert line["tokensPerSecondPerRank"] == pytest.approx(line["tokensPerSecond"] / 2, rel=1e-4)
        assert line["teraflopsPerRank"] == pytest.approx(line["tokensPerSecondPerRank"] * cost / 1e12, rel=1e-4)
        assert 0 <= line["dataWait"] < 0.5
        assert 0 < line["communicationWait"] < 1, "two ranks wait for each other's gradients"
        assert line["stepSpread"] >= 1
        assert 10**8 < line["memoryResident"] < 10**10
        assert not {"mfu", "mfuCausal", "memoryAllocated"} & set(line), "a CPU has no peak that is known"
    gang.attempt -= 1
    assert snapshot(gang).measured["step_spread"] >= 1


def test_a_rank_that_is_slower_than_the_others_is_named_with_its_node_until_it_recovers(gang: PretrainRun) -> None:
    slowly(gang, 100_000).spec["checkpoint_every"] = 100_000
    pod = trained(gang, gang.start(TRAININGRUN_NODE_NAME="gpu-2"), 3)
    slow, until = process_of(pod, 1), time.monotonic() + 60
    while not snapshot(gang).notes and time.monotonic() < until:
        os.kill(slow, signal.SIGSTOP)
        time.sleep(0.03)
        os.kill(slow, signal.SIGCONT)
        time.sleep(0.01)
    told = snapshot(gang)
    (note,), (named,) = told.notes, told.stragglers
    assert (named["rank"], named["node"], named["times"] >= 1.3) == (1, "gpu-2", True)
    assert note.startswith("Rank 1 on node gpu-2 takes ")
    assert "times as long as the others for its own work (since step " in note

    wait_until(lambda: not snapshot(gang).notes)
    assert snapshot(gang).stragglers == ()
    log = pod.log.read_text()
    assert log.count(note) == 1, "once, not at every line of the curve"
    assert "Rank 1 on node gpu-2 is as fast as the others again." in log


@pytest.mark.parametrize("engine", ["nanotron", pytest.param("torch", marks=pytest.mark.long)])
def test_a_hang_names_the_rank_and_the_node_that_the_other_pods_wait_for(
    engine_python: EnginePython, tmp_path: Path, engine: str
) -> None:
    run = slowly(PretrainRun(engine_python("nanotron"), tmp_path, nodes=2, spec={"engine": engine, "hang_timeout": 5}))
    master = {"PET_MASTER_ADDR": "127.0.0.1", "PET_MASTER_PORT": "29643"}
    try:
        disk = silent_disk(tmp_path / "silent", rank=1, reads=60)
        pods = [run.start(0, TRAININGRUN_NODE_NAME="gpu-a", **master)]
        pods += [run.start(1, TRAININGRUN_NODE_NAME="gpu-b", **master, **disk)]
        results = [pod.wait() for pod in pods]
    finally:
        run.end()

    assert [(one.exit_code, one.reason) for one in results] == [(75, "Hang")] * 2
    (said,) = {one.message for one in results}
    assert said.startswith("Rank 1 on node gpu-b did not join gloo:all_reduce "), said
    assert ", in which rank 0 waited for " in said
    stacks = run.volume / RUN_FOLDER / "stacks"
    assert sorted(path.name for path in stacks.iterdir()) == [
        "pretrain-a0-flight", "pretrain-a0-n0-r0.txt", "pretrain-a0-n0.json", "pretrain-a0-n1-r1.txt",
        "pretrain-a0-n1.json",
    ]  # fmt: skip
    assert "pread" in (stacks / "pretrain-a0-n1-r1.txt").read_text(), "where it stands"
    reader = [str(run.python), "-m", "torch.distributed.flight_recorder.fr_trace", f"{stacks}/pretrain-a0-flight"]
    told = subprocess.run(
        [*reader, "-p", "gloo_"], check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert "collective: gloo:all_reduce" in told.stdout
    assert "missing ranks: {1}" in told.stdout


def events(folder: Path, rank: int) -> list[dict[str, Any]]:
    with gzip.open(folder / f"rank-{rank:05d}.json.gz") as file:
        return list(json.load(file)["traceEvents"])


def test_a_profile_that_is_asked_for_shows_so_many_steps_and_changes_nothing(
    gang: PretrainRun, engine_python: EnginePython, tmp_path: Path
) -> None:
    (tmp_path / "plain").mkdir()
    plain = PretrainRun(engine_python("nanotron"), tmp_path / "plain", ranks=2, spec={"engine": "torch"})
    plain.config["tokens"]["train_steps"] = gang.config["tokens"]["train_steps"] = 24
    assert plain.run().reason == "Completed"

    def ask(name: str, steps: int, rank: int | None) -> None:
        answer = Answer(10, profile=Profile(name, gang.attempt, steps, rank))
        write_atomic(gang.volume / RUN_FOLDER / "answers/pretrain.json", answer.to_json())

    ask("first", 3, None)
    assert gang.run().reason == "Completed"
    gang.attempt -= 1
    assert (snapshot(gang).profile, snapshot(gang).profile_error) == ("first", None)
    assert gang.curve() == plain.curve()
    folder = gang.volume / RUN_FOLDER / "profiles/first"
    assert sorted(path.name for path in folder.iterdir()) == ["rank-00000.json.gz", "rank-00001.json.gz"]
    for rank in (0, 1):
        found = events(folder, rank)
        steps = {one["name"] for one in found if one.get("name", "").startswith("ProfilerStep#")}
        assert len(steps) == 3
        names = {one.get("name") for one in found}
        assert {"aten::mm", "gloo:all_reduce"} <= names, sorted(map(str, names))
