"""The gang is measured before it trains: two nodes on this machine, each with a name of its own."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.pretrain_runs import RUN_FOLDER, PretrainRun
from trainingrun_workers.contract import NODE_VARIABLE, Result

EnginePython = Callable[[str], Path]
STALL_SECONDS = 3.0  # a healthy pre-flight takes less than one
LONGEST = 1.0  # second that it may add to a start without GPUs


@pytest.fixture
def run(engine_python: EnginePython, tmp_path: Path) -> PretrainRun:
    made = PretrainRun(engine_python("nanotron"), tmp_path, nodes=2)
    made.spec["engine"] = "torch"
    return made


def both(run: PretrainRun, floors: dict[str, float], timeout: float = 120.0) -> list[Result]:
    """One attempt of two nodes; yields both pods' last words."""
    run.spec["preflight"] = {"enabled": True, "floors": floors, "timeout": timeout}
    try:
        pods = [run.start(node, **{NODE_VARIABLE: f"node-{node}"}) for node in range(2)]
        return [pod.wait() for pod in pods]
    finally:
        run.end()


def kept(run: PretrainRun) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run.volume / RUN_FOLDER / "preflight/pretrain-a0.json").read_text())
    return found


def test_a_healthy_gang_is_measured_and_trains(run: PretrainRun) -> None:
    assert [one.reason for one in both(run, {"matmulTflops": 1e-6})] == ["Completed", "Completed"]
    document = kept(run)
    snapshot = json.loads((run.volume / RUN_FOLDER / "snapshots/pretrain-a0-0.json").read_text())["preflight"]
    assert (snapshot["ranks"], snapshot["found"]) == (2, None)
    assert snapshot["measured"].startswith("matrix product ")
    assert snapshot["lowest"].keys() == snapshot["median"].keys() > {"matmulTflops", "allReduceGbs"}
    assert [one["node"] for one in document["ranks"]] == ["node-0", "node-1"]
    for one in document["ranks"]:
        assert all(one[name] > 0 for name in ("matmulTflops", "allReduceGbs", "edgeGbs", "volumeMbs", "shmFree"))
    assert document["seconds"] < LONGEST
    assert not list((run.volume / RUN_FOLDER / "preflight").glob(".probe*"))


def test_a_gang_below_a_floor_is_told_so_once(run: PretrainRun) -> None:
    results = both(run, {"allReduceGbs": 1e6})
    assert {(one.exit_code, one.reason) for one in results} == {(78, "BelowFloor")}
    assert "The whole gang is below the floor pretrain.preflight.allReduceGbs" in results[0].message


def test_a_node_below_a_floor_is_named_by_every_pod(run: PretrainRun, tmp_path: Path) -> None:
    """A node whose /dev/shm is really small, in a mount namespace of its own."""
    small = "mount -t tmpfs -o size=64m tmpfs /dev/shm"
    if subprocess.run(["unshare", "-m", "sh", "-c", small], capture_output=True, check=False).returncode:
        pytest.skip("this user may not make a mount namespace")
    python = tmp_path / "python-with-little-shm"
    python.write_text(f'#!/bin/sh\nexec unshare -m sh -c \'{small} && exec {run.python} "$@"\' sh "$@"\n')
    python.chmod(0o755)
    run.spec["preflight"] = {"enabled": True, "floors": {"shmFree": 128.0 * 2**20}}
    try:
        pods = [run.start(0, **{NODE_VARIABLE: "node-0"})]
        run.python = python
        pods.append(run.start(1, **{NODE_VARIABLE: "node-1"}))
        results = [pod.wait() for pod in pods]
    finally:
        run.end()
    # A pod whose ranks are ended by a peer's end may say so; whoever judged says which node it was.
    judged = [one for one in results if one.reason == "BadNode"]
    assert judged, results
    assert all((one.exit_code, one.output) == (75, {"node": "node-1", "nodes": ["node-1"]}) for one in judged)
    assert "Node node-1 lets the gang down: free room in /dev/shm" in judged[0].message


def test_a_preflight_that_hangs_ends_in_time_and_says_who_was_behind_at_what(run: PretrainRun) -> None:
    """Rank 1 opens a pipe that nobody reads, as it would a file on a volume whose server is gone: for ever."""
    folder = run.volume / RUN_FOLDER / "preflight"
    folder.mkdir(parents=True)
    os.mkfifo(folder / ".probe-1")
    results = both(run, {}, timeout=STALL_SECONDS)
    told = [one for one in results if one.reason == "PreflightTimeout"]
    assert told, results  # a pod whose peer has ended first may say that instead
    for one in told:
        assert one.message.startswith(
            f"The pre-flight did not end within {STALL_SECONDS:g} s (pretrain.preflight.timeout): rank 1 on node "
            "node-1 was still at its file on the volume, while rank 0 was at the all-reduce"
        )
        assert (one.exit_code, one.output) == (75, {"node": "node-1", "nodes": ["node-1"]})
