"""Axolotl's data sets are read from the run's volume, or from where their scheme says."""

from typing import Any

import pytest

from published import THIRTY_TWO_GPUS, axolotl, messages
from trainingrun.api.axolotl_config import translate


def _dataset(**changes: Any) -> dict[str, Any]:
    item = {"path": "sft/conversations.jsonl", "type": "chat_template", "field_messages": "messages"} | changes
    return {key: value for key, value in item.items() if value is not None}


@pytest.mark.parametrize(
    ("path", "read"),
    [
        ("sft/conversations.jsonl", "sft/conversations.jsonl"),
        ("./sft//conversations.jsonl", "sft/conversations.jsonl"),
        ("/training/openitaliandata", "training/openitaliandata"),
        ("/volume/sft/conversations.jsonl", "sft/conversations.jsonl"),
        ("hf://owner/name", "hf://owner/name"),
        ("hf://datasets/owner/name", "hf://owner/name"),
        ("s3://bucket/sft", "s3://bucket/sft"),
    ],
)
def test_a_path_is_on_the_volume_or_has_a_scheme(path: str, read: str) -> None:
    translation = translate(axolotl(datasets=[_dataset(path=path)]), THIRTY_TWO_GPUS)
    assert translation.errors == ()
    assert translation.datasets == (read,)
    assert translation.config["datasets"][0]["path"] == read


def test_a_path_that_looks_like_the_hub_s_is_on_the_volume_and_says_how_to_mean_the_hub() -> None:
    translation = translate(axolotl(datasets=[_dataset(path="owner/name")]), THIRTY_TWO_GPUS)
    assert translation.datasets == ("owner/name",)
    assert (
        "datasets[0].path \"owner/name\" is read from the run's volume: write hf://owner/name for the Hub's data set."
        in messages(translation.notes, "translated")
    )


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ([_dataset(path="../secrets")], "leaves the volume"),
        ([_dataset(path="/")], "leaves the volume"),
        ([_dataset(path="hf://name")], "write hf://owner/name"),
        ([_dataset(path=None)], "datasets[0].path is missing: add it, for example path: sft/conversations.jsonl."),
        ([_dataset(type=None)], "datasets[0].type is missing: add it, for example type: chat_template."),
        ([_dataset(type="sharegpt.simple")], "set type: chat_template"),
        ([_dataset(train_on_eos="sometimes")], "takes one of all, turn, last, none"),
        ([_dataset(field_message="x")], "did you mean datasets[0].field_messages?"),
        ([_dataset(roles_to_train="assistant")], 'datasets[0].roles_to_train is "assistant", but takes a list.'),
        ([_dataset(trust_remote_code=True)], "would run a data set's own code"),
        ([_dataset(), 3], "datasets[1] is 3, but takes a mapping"),
        ({"path": "a"}, "takes a list, for example"),
        ([], "takes a list, for example"),
    ],
)
def test_data_sets_that_cannot_be_are_errors(items: Any, words: str) -> None:
    said = messages(translate(axolotl(datasets=items), THIRTY_TWO_GPUS).notes, "error")
    assert any(words in message for message in said)


def test_a_user_s_own_prompt_type_is_kept() -> None:
    kind = {"field_instruction": "question", "field_output": "answer", "format": "{instruction}"}
    translation = translate(axolotl(datasets=[_dataset(type=kind)]), THIRTY_TWO_GPUS)
    assert translation.errors == () and translation.config["datasets"][0]["type"] == kind
