"""What differs between runs, and what came out of each."""

import json
from typing import Any

import pytest
import yaml

from trainingrun.cli import main
from trainingrun.commands.differences import flattened
from unit.trainingrun.commands.world import World

Capture = pytest.CaptureFixture[str]


def an_ended_run(world: World, name: str, loss: float, **spec: Any) -> None:
    lines = [{"step": n, "loss": loss - n / 10, "tokens": n * 100, "tokensPerSecond": 50.0} for n in range(1, 11)]
    world.put(f"artifacts/pretrain/{name}/metrics.jsonl", "".join(json.dumps(one) + "\n" for one in lines))
    document = {"model": "it", "main": {"arc": "acc"}, "tasks": {"arc": {"acc": 0.75}}}
    world.put(f"artifacts/evaluate/{name}/it.json", json.dumps(document))
    times = {"startedAt": "2026-11-29T10:00:00Z", "finishedAt": "2026-11-29T11:30:00Z"}
    stages = [
        {"name": "pretrain", "kind": "pretrain", "phase": "Succeeded", "folder": f"artifacts/pretrain/{name}", **times},
        {
            "name": "evaluate-it",
            "kind": "evaluate",
            "phase": "Succeeded",
            "folder": f"artifacts/evaluate/{name}",
            **times,
        },
    ]
    status = {
        "phase": "Succeeded", "restarts": 2, "stages": stages,
        "gpuHours": {"useful": 3.5, "lost": {"NodeLost": 0.5, "Killed": 0.25}},
        "checkpoints": [{"step": 5, "scores": {"arc/acc": 0.25}}, {"step": 10, "scores": {"arc/acc": 0.5}}],
    }  # fmt: skip
    world.add_run(name, status, **spec)


@pytest.fixture
def two(world: World) -> World:
    """Two runs that differ in a weight, a number of pods and what came out."""
    an_ended_run(world, "one", 9.0)
    an_ended_run(world, "two", 8.0)
    spec = world.runs["two"]["spec"]
    spec["data"][0]["weight"] = 0.125
    spec["pretrain"]["config"]["tokens"]["train_steps"] = 901
    spec["evaluate"]["seed"] = 7
    return world


def report(capsys: Capture, *words: str) -> Any:
    assert main(["compare", *words]) == 0
    return json.loads(capsys.readouterr().out)


def test_only_settings_that_differ_are_told_by_their_paths(two: World, capsys: Capture) -> None:
    first = two.runs["one"]["spec"]
    name = first["data"][0]["name"]
    assert report(capsys, "one", "two", "-o", "json")["settings"] == {
        f"data[{name}].weight": {"one": first["data"][0]["weight"], "two": 0.125},
        "pretrain.config.tokens.train_steps": {"one": 900, "two": 901},
        "evaluate.seed": {"one": None, "two": 7},
    }


def test_what_came_out_of_each_run(two: World, capsys: Capture) -> None:
    found = report(capsys, "one", "two", "-o", "json")
    assert found["runs"] == ["one", "two"]
    assert {key: row["two"] for key, row in found["results"].items()} == {
        "phase": "Succeeded", "seconds": 5400.0, "restarts": 2, "gpuHours.useful": 3.5, "gpuHours.lost": 0.75,
        "pretrain.steps": 10, "pretrain.tokens": 1000, "pretrain.tokensPerSecond": 50.0, "pretrain.firstLoss": 7.9,
        "pretrain.lastLoss": 7.0, "pretrain.bestLoss": 7.0,
    }  # fmt: skip
    assert found["scores"] == {
        "step": {"one": 10, "two": 10}, "arc/acc": {"one": 0.5, "two": 0.5}, "it: arc/acc": {"one": 0.75, "two": 0.75},
    }  # fmt: skip
    assert (two.visits, two.left) == (1, [])


def test_people_get_tables_and_scripts_yaml(two: World, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert main(["compare", "one", "two"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 60
    assert [line.strip() for line in lines if line.strip() in ("Settings that differ", "What came out", "Scores")] == [
        "Settings that differ", "What came out", "Scores",
    ]  # fmt: skip
    assert any(line.split() == ["pretrain.lastLoss", "8", "7"] for line in lines)
    assert main(["compare", "one", "two", "-o", "yaml"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["runs"] == ["one", "two"]


def test_without_the_volume_the_statuses_are_compared(two: World, capsys: Capture) -> None:
    for run in two.runs.values():
        run["spec"]["storage"] = {"claimName": "gone"}
    assert main(["compare", "one", "two", "-o", "json"]) == 0
    printed = capsys.readouterr()
    assert printed.err.endswith(" So losses and scores are those of the status alone.\n")
    assert json.loads(printed.out)["scores"] == {"step": {"one": 10, "two": 10}, "arc/acc": {"one": 0.5, "two": 0.5}}


def test_runs_that_have_nothing_yet_are_compared_by_their_settings(world: World, capsys: Capture) -> None:
    world.add_run("one")
    world.add_run("two", suspend=True)
    found = report(capsys, "one", "two", "-o", "json")
    assert found == {
        "runs": ["one", "two"], "settings": {"suspend": {"one": None, "two": True}}, "results": {}, "scores": {},
    }  # fmt: skip
    assert main(["compare", "one", "two"]) == 0
    assert "What came out: none.\nScores: none.\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("names", "code", "said"),
    [
        (["one"], 2, "compare takes two runs or more.\n"),
        (["one", "one"], 2, "compare takes two runs or more.\n"),
        (["one", "three"], 4, "There is no run three in namespace default of context test: it has none.\n"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(
    names: list[str], code: int, said: str, two: World, capsys: Capture
) -> None:
    assert main(["compare", *names]) == code
    assert capsys.readouterr().err == said


def test_a_list_of_plain_values_is_one_setting() -> None:
    assert dict(flattened({"a": [1, 2], "b": [], "c": {}, "d": [{"x": 1}, {"name": "n", "y": [{"z": 2}]}]})) == {
        "a": [1, 2], "b": [], "c": {}, "d[0].x": 1, "d[n].name": "n", "d[n].y[0].z": 2,
    }  # fmt: skip
