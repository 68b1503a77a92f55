from typing import Any

import pytest
from pydantic import ValidationError

from builders import START, a_manifest, with_uid
from trainingrun.api.training_run import TrainingRun
from trainingrun.controller import invalid


def an_unreadable(**spec: Any) -> tuple[dict[str, Any], str]:
    raw = with_uid(a_manifest("tiny", **spec))
    with pytest.raises(ValidationError) as error:
        TrainingRun.from_object(raw)
    return raw, invalid.sentences(error.value)


def test_each_field_that_cant_be_read_is_named() -> None:
    _, message = an_unreadable(tokenizer=None, pretrain={"nodes": "many"})
    assert "spec.tokenizer: Field required." in message
    assert "spec.pretrain.nodes: " in message


def test_many_errors_are_counted() -> None:
    _, message = an_unreadable(tokenizer=None, data=[{} for _ in range(9)])
    assert message.endswith("more.")


def test_it_is_said_once() -> None:
    raw, message = an_unreadable(tokenizer=None)
    said = invalid.say(raw, message, START)
    assert said is not None
    metadata, status, event = said
    assert (metadata.name, event.type, event.message) == ("tiny", "Warning", message)
    assert {one.type: one.status for one in status.conditions} == {
        "Valid": "False",
        "Stalled": "True",
        "Ready": "False",
    }
    raw["status"] = status.model_dump(by_alias=True, exclude_none=True)
    assert invalid.say(raw, message, START + 60) is None


def test_what_was_known_of_the_stages_is_kept() -> None:
    raw, message = an_unreadable(tokenizer=None)
    stage = {"name": "tokenize", "kind": "tokenize", "phase": "Succeeded"}
    raw["status"] = {"phase": "Running", "stages": [stage]}
    said = invalid.say(raw, message, START)
    assert said is not None
    assert [one.name for one in said[1].stages] == ["tokenize"]
    assert said[1].phase == "Running"
