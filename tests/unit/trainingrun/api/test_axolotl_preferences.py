"""The configuration of a dpo stage: what runs, what is said, and what is refused before a pod finds out."""

import dataclasses
from typing import Any

import pytest

from published import THIRTY_TWO_GPUS, axolotl, messages
from trainingrun.api.axolotl_config import AxolotlTranslation, translate

DPO = dataclasses.replace(THIRTY_TWO_GPUS, name="dpo-instruct", kind="dpo")
CHAT = {
    "path": "sft/pairs.jsonl", "type": "chat_template.default", "field_messages": "conversation",
    "field_chosen": "better", "field_rejected": "worse",
}  # fmt: skip
TEXTS = {"path": "sft/pairs.jsonl", "type": {"field_prompt": "question", "field_chosen": "yes", "field_rejected": "no"}}


def dpo(**changes: Any) -> AxolotlTranslation:
    """The published configuration as a dpo stage would have it, with changes."""
    base: dict[str, Any] = {"datasets": [CHAT], "sample_packing": None, "eval_sample_packing": None}
    return translate(axolotl(**(base | changes)), DPO)


def test_a_dpo_stage_trains_by_dpo_and_says_so_where_its_configuration_does_not() -> None:
    translation = dpo()
    assert translation.errors == ()
    assert translation.config["rl"] == "dpo"
    assert "rl is missing and runs as dpo, since this is a dpo stage." in messages(translation.notes, "translated")
    assert dpo(rl="dpo").config == translation.config


@pytest.mark.parametrize(
    "item", [CHAT, TEXTS, {**CHAT, "type": "chatml.intel"}, {**CHAT, "roles": {"user": ["human"]}}]
)
def test_data_sets_of_pairs_keep_their_fields(item: dict[str, Any]) -> None:
    translation = dpo(datasets=[item])
    assert translation.errors == ()
    assert translation.config["datasets"] == [item]


def test_the_type_chat_template_is_written_in_full() -> None:
    translation = dpo(datasets=[{**CHAT, "type": "chat_template"}])
    assert translation.config["datasets"][0]["type"] == "chat_template.default"
    assert any("becomes chat_template.default" in one for one in messages(translation.notes, "translated"))


def test_dpo_beta_becomes_rl_beta() -> None:
    translation = dpo(dpo_beta=0.2)
    assert translation.config["rl_beta"] == 0.2 and "dpo_beta" not in translation.config


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rl": "kto"}, 'rl is "kto", but this is a dpo stage: remove it.'),
        ({"rl": "ipo"}, "set dpo_loss_type: [ipo]"),
        ({"sample_packing": True}, "sample_packing is true, but pairs of answers can't be packed: remove it."),
        ({"eval_sample_packing": True}, "eval_sample_packing is true, but pairs of answers can't be packed"),
        ({"dpo_loss_weights": [1.0]}, "takes a weight for each loss of dpo_loss_type"),
        ({"dpo_loss_weights": [1.0], "dpo_loss_type": ["ipo", "sft"]}, "takes a weight for each loss of dpo_loss_type"),
        ({"dpo_beta": 0.2, "rl_beta": 0.1}, "dpo_beta and rl_beta set the same value differently"),
        ({"datasets": [{**CHAT, "type": "completion"}]}, 'datasets[0].type "completion" is no type for pairs'),
        ({"datasets": [{**CHAT, "field_choosen": "x"}]}, "did you mean datasets[0].field_chosen?"),
        ({"datasets": [{**CHAT, "type": {"field_promt": "x"}}]}, "did you mean datasets[0].type.field_prompt?"),
        ({"datasets": [{**CHAT, "path": None}]}, "datasets[0].path is missing"),
        ({"reward_model": True}, "reward_model is true, but this stage trains a language model only"),
        ({"adapter": "lora"}, 'adapter is "lora", but this stage trains whole models'),
    ],
)
def test_what_contradicts_is_refused(changes: dict[str, Any], words: str) -> None:
    assert any(words in message for message in messages(dpo(**changes).notes, "error"))


def test_an_sft_stage_is_no_place_for_rl() -> None:
    said = messages(translate(axolotl(rl="dpo"), THIRTY_TWO_GPUS).notes, "error")
    assert said == [
        'rl is "dpo", but this stage trains on no preferences: remove it, or make a dpo stage of it for rl: dpo.'
    ]


def test_an_sft_stage_takes_no_fields_of_pairs() -> None:
    item = {"path": "a.jsonl", "type": "chat_template", "field_chosen": "x"}
    said = messages(translate(axolotl(datasets=[item]), THIRTY_TWO_GPUS).notes, "error")
    assert any("datasets[0].field_chosen is not a known key" in one for one in said)
