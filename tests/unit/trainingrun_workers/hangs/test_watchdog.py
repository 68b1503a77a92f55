"""When a pod gives its ranks up, and what it says and keeps."""

import json
import logging
import time
from pathlib import Path

import pytest

from trainingrun_workers import watchdog
from trainingrun_workers.errors import Retry
from trainingrun_workers.flight_recorder import Flight
from trainingrun_workers.hangs.dumps import PodDump, RankState
from trainingrun_workers.launched import BEAT, Activity
from trainingrun_workers.watchdog import HangRule, Watchdog, name_nodes

WAITING = Flight({"gloo 0": 8}, {"gloo 0": "gloo:all_reduce 8"}, {"gloo 0": [0, 1, 2]})


@pytest.fixture(autouse=True)
def _hastily(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STACK_SECONDS", "FLIGHT_SECONDS", "GATHER_SECONDS"):
        monkeypatch.setattr(watchdog, name, 0.0)


@pytest.fixture
def ranks(tmp_path: Path) -> Path:
    """The folder of a pod's only rank, which is of a gang of three pods."""
    folder = tmp_path / "ranks"
    folder.mkdir()
    name_nodes(folder, ["gpu-0", "gpu-1", "gpu-2"])
    return folder


def beat(folder: Path, activity: Activity, age: float) -> None:
    (folder / "1.beat").write_bytes(BEAT.pack(41, activity, time.monotonic() - age))


def rule(folder: Path, attempt: str = "pretrain-a3", node: int = 1) -> HangRule:
    return HangRule(60, folder / "stacks", attempt, node, nodes=3)


def said_by(folder: Path, one: HangRule) -> str:
    with pytest.raises(Retry) as caught:
        Watchdog(folder, one).check()
    assert caught.value.reason == "Hang"
    return caught.value.message


def test_a_pod_that_saves_gives_up_once_another_has_and_both_know_who_is_missing(ranks: Path, tmp_path: Path) -> None:
    one = rule(tmp_path)
    beat(ranks, Activity.SAVING, 31)
    Watchdog(ranks, one).check()
    one.dumps.leave(PodDump(0, "gpu-0", {0: RankState(41, "training", 60.0, WAITING)}))

    assert said_by(ranks, one) == (
        "Rank 1 on node "
        f"{watchdog.node_name()} did not join gloo:all_reduce 8, in which rank 0 waited for 31 s in step 42 (saving), "
        "longer than hangTimeout allows; rank 1 did not answer, as a process that is stopped or held up; rank 2 on "
        f"node gpu-2 left no dump: stacks and records of the ranks are in {tmp_path}/stacks, as pretrain-a3-*."
    )
    assert json.loads((tmp_path / "stacks/pretrain-a3-n1.json").read_text())["ranks"]["1"]["activity"] == "saving"


def test_a_pod_whose_ranks_step_does_not_look_at_the_volume(ranks: Path, tmp_path: Path) -> None:
    one = rule(tmp_path)
    one.dumps.leave(PodDump(0, "gpu-0", {}))
    beat(ranks, Activity.TRAINING, 29)

    Watchdog(ranks, one).check()


def test_without_the_volume_the_pod_tells_what_it_knows(
    ranks: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "stacks").touch()  # no folder can be made there
    beat(ranks, Activity.TRAINING, 61)

    with caplog.at_level(logging.WARNING):
        said = said_by(ranks, rule(tmp_path))
    assert said.startswith("Rank 0 on node gpu-0 and rank 2 on node gpu-2 left no dump, and rank 1 on node ")
    assert "was silent for 61 s in step 42 (training)" in said
    assert "What this pod knows of its hang could not be written" in caplog.text


def test_flight_records_of_the_newest_attempts_stay(ranks: Path, tmp_path: Path) -> None:
    stacks = tmp_path / "stacks"
    for name in ("pretrain-a2", "pretrain-a9", "pretrain-a10", "sft-tiny-a1"):
        (stacks / f"{name}-flight").mkdir(parents=True)
    (ranks / "1.gloo").touch()
    beat(ranks, Activity.TRAINING, 61)

    said_by(ranks, rule(tmp_path, "pretrain-a11"))
    assert len(list(stacks.glob("*-flight"))) == 5, "one pod alone clears away"
    said_by(ranks, rule(tmp_path, "pretrain-a11", node=0))
    assert sorted(path.name for path in stacks.glob("*-flight")) == [
        "pretrain-a10-flight", "pretrain-a11-flight", "pretrain-a9-flight", "sft-tiny-a1-flight",
    ]  # fmt: skip
