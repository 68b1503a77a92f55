"""Whether the chart's values have the images of people's own engines that runs name."""

import dataclasses
import json
from typing import Any

from doctor_cases import (
    FIT,
    IMAGES,
    REFUSED,
    Object,
    a_deployment,
    an_object,
    faults,
    needs_of,
    wants_gpus,
)
from manifest_changes import CUSTOM_PRETRAIN
from trainingrun.commands.doctor.decide import decide
from trainingrun.commands.doctor.needs import Needs


def a_run(name: str, phase: str, **pretrain: Any) -> Object:
    return an_object(name, spec={"pretrain": pretrain}, status={"phase": phase})


def has_engines(*entries: str) -> Object:
    """A cluster whose chart's values name images of these engines."""
    images = {one: f"r.example/{one}@sha256:1" for one in entries}
    return {"operators": [a_deployment(IMAGES=IMAGES, CUSTOM_ENGINES=json.dumps(images))]}


def with_an_engine() -> Needs:
    return needs_of(pretrain=CUSTOM_PRETRAIN, evaluate=None, variants=[])


MEGATRON = {"engine": "custom", "custom": {"image": "megatron"}}


def engines(other: Object, wanted: Needs | None = None) -> list[tuple[str, str]]:
    return [
        (one.level, one.message) for one in decide(dataclasses.replace(FIT, **other), wanted) if one.check == "engines"
    ]


def test_a_run_that_names_an_engine_of_which_there_is_no_image_is_named_with_those_there_are() -> None:
    entry = CUSTOM_PRETRAIN["custom"]["image"]
    lacking = f"Run tiny names the custom engine {entry}, for which the chart's values have no image; there are: "
    assert engines(has_engines("other", "more"), with_an_engine()) == [("fail", f"{lacking}more, other.")]
    assert engines(has_engines(), with_an_engine()) == [("fail", f"{lacking}none.")]
    assert engines(has_engines(entry), with_an_engine()) == [
        ("ok", f"Custom engines that runs name are there: {entry}.")
    ]


def test_runs_that_are_there_are_looked_at_as_long_as_they_train() -> None:
    runs = [a_run("one", "Running", **MEGATRON), a_run("two", "Succeeded", **MEGATRON), a_run("three", "Pending")]
    cluster = {**has_engines("tiny"), "runs": runs}
    ((level, message),) = engines(cluster)
    assert (level, message.partition(",")[0]) == ("fail", "Run one names the custom engine megatron")
    ((level, _),) = engines(cluster, wants_gpus())
    assert level == "warn", "another run is asked about"
    assert engines({**cluster, "runs": REFUSED}) == []


def test_an_operator_that_knows_no_engines_is_asked_for_none() -> None:
    assert engines({"runs": [a_run("one", "Running", **MEGATRON)]}) == []


def test_an_image_of_an_engine_that_may_move_is_worth_a_look_too() -> None:
    operators = [a_deployment(IMAGES=IMAGES, CUSTOM_ENGINES='{"megatron": "r.example/megatron:latest"}')]
    (found,) = faults(decide(dataclasses.replace(FIT, operators=operators)))
    assert "custom.megatron r.example/megatron:latest" in found.message
