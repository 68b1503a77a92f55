"""How a pod's main process asks its ranks what they wait in."""

import dataclasses
import json
from pathlib import Path

from trainingrun_workers.flight_recorder import REQUEST, Flight, Flights


def test_only_those_that_can_answer_are_waited_for(tmp_path: Path) -> None:
    flight = Flight({"gloo 0": 8}, {"gloo 0": "gloo:all_reduce 8"}, {"gloo 0": [0, 1, 2]})
    (tmp_path / "1.flight.json").write_text(json.dumps(dataclasses.asdict(flight)))
    (tmp_path / "1.gloo").touch()
    flights = Flights(tmp_path, (0, 1))
    assert flights.ask(0.0, lambda rank: True) == flights.ask(60.0, lambda rank: rank == 1) == {1: flight}
    assert flights.dumps(60.0) == [("gloo_1", tmp_path / "1.gloo")]
    assert not (tmp_path / REQUEST).exists(), "a rank that wakes up later would tell of another moment"
