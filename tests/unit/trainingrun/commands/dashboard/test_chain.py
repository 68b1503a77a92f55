"""The chain as a picture: every stage once, each right of what it waits for, none upon another."""

import copy
from typing import Any

import pytest

from builders import a_manifest, a_training_run
from trainingrun.api.progress import Progress
from trainingrun.api.status import StageStatus
from trainingrun.commands.dashboard.chain import chain, fraction
from trainingrun.stages.instances import instances


def many_variants() -> dict[str, Any]:
    spec = a_manifest()["spec"]
    first = spec["variants"][0]["stages"][0]
    longer = [{"name": f"v-{one}", "stages": [copy.deepcopy(first) for _ in range(1 + one % 2)]} for one in range(8)]
    return {"variants": longer}


RUNS = {
    "as it stands": {},
    "without variants": {"variants": []},
    "without evaluation": {"evaluate": None},
    "compared": {"evaluate": a_manifest()["spec"]["evaluate"] | {"compareWith": [{"name": "o", "path": "models/o"}]}},
    "eight variants": many_variants(),
    "a judge": {
        "judge": {
            "secretName": "judge", "prompts": "prompts.jsonl",
            "between": [{"name": "base"}, {"name": "translate"}, {"name": "prefer"}],
        },
    },
}  # fmt: skip


@pytest.mark.parametrize("name", RUNS)
def test_every_stage_has_a_place_of_its_own_right_of_all_that_it_waits_for(name: str) -> None:
    spec = a_training_run(**RUNS[name]).spec
    picture = chain(spec, [])
    boxes = {one["name"]: one for one in picture["boxes"]}
    assert list(boxes) == [one.name for one in instances(spec)]
    assert len({(one["depth"], one["lane"]) for one in boxes.values()}) == len(boxes)
    for edge in picture["edges"]:
        assert boxes[edge["from"]]["depth"] < boxes[edge["to"]]["depth"], edge
    assert {one["lane"] for one in boxes.values()} == set(range(len(picture["lanes"])))


def test_an_edge_that_only_repeats_others_is_left_out() -> None:
    edges = {(one["from"], one["to"]): one["follows"] for one in chain(a_training_run().spec, [])["edges"]}
    assert edges["pretrain", "convert"] and edges["convert", "evaluate"]
    assert ("convert", "release") not in edges  # evaluate comes after convert, and release after evaluate
    assert not edges["evaluate", "release"]
    assert ("evaluate-prefer", "report") in edges


def test_a_stage_that_the_spec_has_no_more_stands_in_a_lane_of_its_own() -> None:
    old = StageStatus(name="sft-gone", kind="sft", phase="Succeeded")
    picture = chain(a_training_run().spec, [old])
    assert picture["lanes"][picture["boxes"][-1]["lane"]] == "other"


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        (None, None),
        (StageStatus(name="a", kind="pretrain"), None),
        (StageStatus(name="a", kind="pretrain", phase="Running", progress=Progress(step=3, total=0)), None),
        (StageStatus(name="a", kind="pretrain", phase="Running", progress=Progress(step=3, total=12)), 0.25),
        (StageStatus(name="a", kind="pretrain", phase="Running", progress=Progress(step=30, total=12)), 1.0),
        (StageStatus(name="a", kind="pretrain", phase="Succeeded"), 1.0),
    ],
)
def test_how_much_is_done(stage: StageStatus | None, expected: float | None) -> None:
    assert fraction(stage) == expected
