"""The configuration of a cpt stage: plain text, and the context length that the model goes on with."""

import dataclasses
from typing import Any

import pytest

from published import THIRTY_TWO_GPUS, axolotl, messages
from trainingrun.api.axolotl_config import AxolotlTranslation, translate

CPT = dataclasses.replace(THIRTY_TWO_GPUS, name="cpt-longer", kind="cpt")
BOOKS = {"path": "texts/books.jsonl", "type": "completion", "field": "text"}


def cpt(**changes: Any) -> AxolotlTranslation:
    """The published configuration as a cpt stage would have it, with changes."""
    return translate(axolotl(**({"datasets": [BOOKS], "sequence_len": 32768} | changes)), CPT)


def test_a_cpt_stage_says_its_context_length_and_how_texts_are_cut() -> None:
    translation = cpt()
    assert translation.errors == ()
    assert (translation.config["datasets"], translation.sequence_length) == ([BOOKS], 32768)
    (said,) = [one for one in messages(translation.notes, "translated") if one.startswith("sequence_len 32,768 is")]
    assert "2,097,152 tokens at most" in said and said.endswith("its max_position_embeddings becomes that.")


def test_what_a_data_set_leaves_out_is_plain_text_in_the_field_text() -> None:
    translation = cpt(datasets=[{"path": "texts/books.jsonl"}])
    assert translation.errors == ()
    assert translation.config["datasets"] == [BOOKS]
    said = messages(translation.notes, "translated")
    assert "datasets[0].type is missing and runs as completion, since this is a cpt stage." in said
    assert "datasets[0].field is missing and runs as text." in said


@pytest.mark.parametrize("key", ["overrides_of_model_config", "model_config"])
def test_what_is_changed_in_the_model_s_configuration_is_kept(key: str) -> None:
    given = {"rope_theta": 500000.0, "max_position_embeddings": 65536}
    translation = cpt(**{key: given})
    assert translation.errors == ()
    assert translation.config["model_config"] == given
    assert not any("becomes that" in one for one in messages(translation.notes, "translated"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"datasets": [{"path": "a.jsonl", "type": "chat_template"}]},
         'datasets[0].type "chat_template" is no plain text, which a cpt stage goes on with: set type: completion'),
        ({"datasets": [BOOKS | {"type": {"field_prompt": "x"}}]}, "is no plain text"),
        ({"test_datasets": [{"path": "a.jsonl", "type": "chat_template"}]}, "test_datasets[0].type"),
        ({"datasets": None}, "datasets is missing: add it, for example [{path: texts/books.jsonl, type: completion"),
        ({"datasets": [{"type": "completion"}]}, "datasets[0].path is missing"),
        ({"sequence_len": None}, "sequence_len is missing, which is the context length that a cpt stage goes on with"),
        ({"model_config": {"max_position_embeddings": 4096}},
         "model_config.max_position_embeddings is 4096, less than sequence_len 32768"),
        ({"rl": "dpo"}, 'rl is "dpo", but this stage trains on no preferences'),
    ],
)  # fmt: skip
def test_what_is_no_continued_pretraining_is_refused(changes: dict[str, Any], words: str) -> None:
    assert any(words in message for message in messages(cpt(**changes).notes, "error"))


def test_other_stages_are_told_nothing_of_it() -> None:
    said = [note.message for note in translate(axolotl(datasets=[BOOKS]), THIRTY_TWO_GPUS).notes]
    assert not any("context length" in one for one in said)
