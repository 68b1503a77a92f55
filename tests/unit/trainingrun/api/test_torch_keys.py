"""The same configuration moves to the torch engine by one word, and what it can't do there is said."""

import dataclasses
from typing import Any

import pytest

from published import SIXTY_FOUR_GPUS, messages, nanotron
from trainingrun.api.nanotron_config import translate

TORCH = dataclasses.replace(SIXTY_FOUR_GPUS, engine="torch")
MODEL = "model__model_config__"


def test_the_reports_configuration_runs_on_either_engine() -> None:
    ours, theirs = translate(nanotron(), TORCH), translate(nanotron(), SIXTY_FOUR_GPUS)
    assert ours.errors == theirs.errors == ()
    assert (ours.tokens_per_step, ours.total_steps) == (theirs.tokens_per_step, theirs.total_steps)
    assert ours.config["optimizer"]["learning_rate_scheduler"] == theirs.config["optimizer"]["learning_rate_scheduler"]


def test_no_word_of_nanotron_0_4_is_said_to_who_uses_torch() -> None:
    notes = translate(nanotron(**{MODEL + "z_loss_enabled": True, MODEL + "attention_bias": True}), TORCH).notes
    assert notes
    assert not [note for note in notes if "nanotron 0.4" in note.message]


def test_what_nanotron_lacks_is_honoured() -> None:
    made = translate(nanotron(**{MODEL + "rope_theta": 500000.0, "parallelism__recompute_layer": True}), TORCH)
    assert made.errors == ()
    assert made.config["model"]["model_config"]["rope_theta"] == 500000.0
    assert made.config["parallelism"]["recompute_layer"] is True


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"parallelism__pp": 2, "parallelism__dp": 32}, "gives no rank a part of the layers"),
        ({"parallelism__tp": 5, "parallelism__dp": 13}, "does not divide the 8 GPUs of a node"),
        ({"parallelism__tp": 2, "parallelism__dp": 32}, "does not divide model.model_config.num_attention_heads 15"),
        ({"parallelism__tp": 2, "parallelism__dp": 32}, "does not divide model.model_config.num_key_value_heads 5"),
        ({"parallelism__tp": 2, MODEL + "intermediate_size": 2561}, "does not divide model.model_config.intermediate"),
        ({"parallelism__tp": 2, MODEL + "vocab_size": 128257}, "does not divide model.model_config.vocab_size 128257"),
        ({"parallelism__tp": 2, "tokens__sequence_length": 4095}, "does not divide tokens.sequence_length 4095"),
        ({MODEL + "num_attention_heads": 7}, "does not divide hidden_size 960"),
        ({MODEL + "num_hidden_layer": 7}, "num_hidden_layer"),
        ({MODEL + "hidden_act": "gelu"}, "takes one of silu, swish"),
        ({"model__dtype": "float16"}, "takes one of bfloat16, float32"),
        ({MODEL + "_use_doc_masking": 1}, "takes true or false"),
    ],
)
def test_what_it_can_t_do_is_an_error(changes: dict[str, Any], words: str) -> None:
    assert any(words in message for message in messages(translate(nanotron(**changes), TORCH).notes, "error"))


EIGHT: dict[str, Any] = {"parallelism__tp": 8, "parallelism__dp": 8, MODEL + "num_attention_heads": 16}
EIGHT |= {MODEL + "num_key_value_heads": 8}


def test_tensors_are_cut_where_all_that_is_cut_divides() -> None:
    made = translate(nanotron(**EIGHT), TORCH)
    assert made.errors == ()
    assert (made.dp, made.tp, made.config["parallelism"]["tp"]) == (8, 8, 8)
    assert any("zero_stage 0 runs as 1" in message for message in messages(made.notes, "translated"))


def test_nanotron_may_have_tensors_that_the_torch_engine_would_not_cut() -> None:
    made = translate(nanotron(**EIGHT, **{MODEL + "vocab_size": 128257}), SIXTY_FOUR_GPUS)
    assert made.errors == ()


def test_documents_are_told_apart_by_an_id_that_is_given() -> None:
    config = nanotron(**{MODEL + "_use_doc_masking": True})
    made = translate(config, TORCH)
    assert made.errors == ()
    assert made.config["model"]["model_config"]["_use_doc_masking"] is True
    del config["model"]["model_config"]["eos_token_id"]
    (message,) = messages(translate(config, TORCH).notes, "error")
    assert "eos_token_id is missing, after which a document ends" in message


def test_nanotron_is_told_which_engine_masks_documents() -> None:
    made = translate(nanotron(**{MODEL + "_use_doc_masking": True}), SIXTY_FOUR_GPUS)
    assert any("name torch as spec.pretrain.engine" in message for message in messages(made.notes, "error"))


@pytest.mark.parametrize(("nodes", "each"), [(7, "4 or 5"), (4, "8")])
def test_any_number_of_ranks_shares_a_step_that_stays_as_large(nodes: int, each: str) -> None:
    made = translate(nanotron(), dataclasses.replace(TORCH, nodes=nodes))
    assert made.errors == ()
    assert made.tokens_per_step == translate(nanotron(), TORCH).tokens_per_step
    said = (
        f"parallelism.dp 64 runs as {8 * nodes}, the ranks that there are: a step stays one of 256 sequences, {each} a "
        "rank."
    )
    assert said in messages(made.notes, "translated")


def test_more_ranks_than_sequences_are_an_error() -> None:
    notes = translate(nanotron(parallelism__dp=1), TORCH).notes
    assert messages(notes, "error") == [
        "A step of dp 1 · micro_batch_size 4 · batch_accumulation_per_replica 1 = 4 sequences is less than one for "
        "each of 64 ranks: lower nodes or gpusPerNode, or train on more sequences a step."
    ]
