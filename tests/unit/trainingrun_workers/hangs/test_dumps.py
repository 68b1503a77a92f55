"""What pods that hang leave for one another."""

import time
from pathlib import Path

import pytest

from trainingrun_workers.flight_recorder import Flight
from trainingrun_workers.hangs.dumps import Dumps, PodDump, RankState

FLIGHT = Flight({"gloo 0": 8}, {"gloo 0": "gloo:all_reduce 8"}, {"gloo 0": [0, 1]}, ["nccl:recv 0<-1"])


def dump(node: int) -> PodDump:
    return PodDump(node, f"gpu-{node}", {node: RankState(41, "training", 600.5, FLIGHT), node + 1: RankState()})


def test_what_all_pods_have_left_is_read_without_waiting(tmp_path: Path) -> None:
    dumps = Dumps(tmp_path / "stacks", "pretrain-a3", 2)
    assert dumps.nodes_that_left_one() == set()
    for node in (1, 0):
        dumps.leave(dump(node))
    Dumps(tmp_path / "stacks", "pretrain-a30", 2).leave(dump(1))
    assert dumps.gather(60) == {0: dump(0), 1: dump(1)}
    assert sorted(path.name for path in (tmp_path / "stacks").glob("pretrain-a3-*")) == [
        "pretrain-a3-n0.json", "pretrain-a3-n1.json",
    ]  # fmt: skip


@pytest.mark.parametrize("cut", [0, 30, -1])
def test_a_torn_dump_and_a_missing_one_are_told_apart_after_a_while(tmp_path: Path, cut: int) -> None:
    dumps = Dumps(tmp_path / "stacks", "pretrain-a3", 3)
    dumps.leave(dump(0))
    (tmp_path / "stacks/pretrain-a3-n2.json").write_text(dump(2).to_json()[:cut])
    started = time.monotonic()
    assert dumps.gather(0.3) == {0: dump(0), 2: None}
    assert 0.3 <= time.monotonic() - started < 5


@pytest.mark.parametrize("text", ["[]", "{}", '{"node": 1, "name": "n", "ranks": {"a": {}}}', "\xff"])
def test_what_is_no_dump_counts_as_torn(text: str) -> None:
    assert PodDump.from_text(text) is None
    assert PodDump.from_text(text.encode("latin-1")) is None
