"""Whole curves off a claim: the workers' real code on a real folder, through a pod that goes again."""

import json
import time
from typing import Any

import pytest

from trainingrun import CommandError
from trainingrun.commands.dashboard.volume_curves import VolumeCurves
from trainingrun.commands.volume_pod import Kubectl
from trainingrun.commands.volume_visit import Visit
from trainingrun.library import curves as library
from unit.trainingrun.commands.world import World

FOLDER = "artifacts/pretrain/tiny"


def trained(world: World, phase: str = "Succeeded", steps: int = 30) -> dict[str, Any]:
    """A run whose curve lies on the volume."""
    lines = [
        {"step": step, "loss": 9 - step / 10, "tokens": step * 1024, "gradientNorm": None} for step in range(steps)
    ]
    world.put(f"{FOLDER}/metrics.jsonl", "".join(json.dumps(one) + "\n" for one in lines))
    run = world.add_run(
        "tiny", {"stages": [{"name": "pretrain", "kind": "pretrain", "phase": phase, "folder": FOLDER}]}
    )
    run["metadata"]["namespace"] = "default"
    return run


def looked(run: dict[str, Any]) -> VolumeCurves:
    """Curves after a look that has come to its end."""
    made = VolumeCurves(lambda namespace, claim: Visit(Kubectl(namespace), claim, None))
    made.look(run)
    until = time.monotonic() + 30
    while not (made.points or made.missing) and time.monotonic() < until:
        time.sleep(0.05)
    return made


def test_the_whole_curve_is_read_once_of_a_run_that_has_ended(world: World) -> None:
    run = trained(world)
    made = looked(run)
    assert made.missing is None
    assert made.points["pretrain"][0] == {"step": 0, "loss": 9.0}
    assert [one["step"] for one in made.points["pretrain"]] == list(range(30))
    made._due = 0.0
    made.look(run)
    time.sleep(0.2)
    assert (world.visits, world.left) == (1, [])


def test_a_claim_that_is_not_there_is_a_sentence_and_asked_again_later(world: World) -> None:
    run = trained(world)
    run["spec"]["storage"] = {"claimName": "gone"}
    made = looked(run)
    made.look(run)
    assert made.missing and "gone" in made.missing
    assert made.points == {}


def test_from_python_the_curve_is_a_frame(world: World) -> None:
    run = trained(world)
    volumes = library.volumes("default", None, None, None)
    rows = library.of_volume(run, "pretrain", volumes)
    frame = library.framed(rows, library.COLUMNS)
    assert (len(frame), frame.loss.iloc[0], frame.tokens.iloc[-1]) == (30, 9.0, 29 * 1024)
    assert world.left == []
    with pytest.raises(CommandError, match="has no stage sft that trains: it has pretrain"):
        library.of_volume(run, "sft", volumes)
