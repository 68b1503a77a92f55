"""Who did not join a collective is read off what the ranks' recorders say."""

import dataclasses
import json
from pathlib import Path

import pytest

from trainingrun_workers.flight_recorder import REQUEST, Flight, Flights, who_is_missing

WORLD, TENSOR = "gloo 0", "nccl 3"


def at(number: int, *, waits: bool, group: str = WORLD, members: tuple[int, ...] = (0, 1, 2)) -> Flight:
    return Flight({group: number}, {group: f"gloo:all_reduce {number}"} if waits else {}, {group: [*members]})


@pytest.mark.parametrize(
    ("flights", "ranks", "said"),
    [
        ({0: at(8, waits=True), 1: at(7, waits=False)}, (0, 1),
         "Rank 1 did not join gloo:all_reduce 8, in which rank 0 waited"),
        ({0: at(8, waits=True), 2: at(8, waits=True)}, (0, 1, 2),
         "Rank 1 did not join gloo:all_reduce 8, in which ranks 0 and 2 waited"),
        ({0: at(8, waits=True), 1: Flight(), 2: at(6, waits=False)}, (0, 1, 2),
         "Ranks 1 and 2 did not join gloo:all_reduce 8, in which rank 0 waited"),
        ({0: at(8, waits=True), 1: at(8, waits=True)}, (0, 1),
         "Ranks 0 and 1 waited in gloo:all_reduce 8 for ranks of other pods"),
        ({0: at(9, waits=True, group=TENSOR, members=(0, 1)), 1: at(8, waits=False, group=TENSOR, members=(0, 1)),
          2: Flight()}, (0, 1, 2), "Rank 1 did not join gloo:all_reduce 9, in which rank 0 waited"),
        ({0: at(8, waits=False), 1: at(8, waits=False)}, (0, 1), None),
        ({}, (0, 1), None),
    ],
)  # fmt: skip
def test_the_rank_that_is_behind_is_named(flights: dict[int, Flight], ranks: tuple[int, ...], said: str | None) -> None:
    assert who_is_missing(flights, ranks) == said


def test_only_those_that_can_answer_are_waited_for(tmp_path: Path) -> None:
    (tmp_path / "1.flight.json").write_text(json.dumps(dataclasses.asdict(at(8, waits=True))))
    (tmp_path / "1.gloo").touch()
    flights = Flights(tmp_path, (0, 1))
    assert flights.ask(0.0, lambda rank: True) == flights.ask(60.0, lambda rank: rank == 1) == {1: at(8, waits=True)}
    assert flights.dumps() == [("gloo_1", tmp_path / "1.gloo")]
    assert not (tmp_path / REQUEST).exists(), "a rank that wakes up later would tell of another moment"
