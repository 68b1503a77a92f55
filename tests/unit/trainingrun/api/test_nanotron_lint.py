"""What contradicts itself in a nanotron configuration is said, with its mend."""

import dataclasses
from typing import Any

import pytest

from published import SIXTY_FOUR_GPUS, messages, nanotron
from trainingrun.api.nanotron_config import translate

SCHEDULE = "optimizer__learning_rate_scheduler__"
MODEL = "model__model_config__"
FIVE_WAYS = {"parallelism__tp": 5, "parallelism__dp": 64, "tokens__sequence_length": 4095}


def _said(severity: str, processes: int = 64, **changes: Any) -> list[str]:
    context = dataclasses.replace(SIXTY_FOUR_GPUS, nodes=processes, gpus_per_node=1, processes_per_node=1)
    return messages(translate(nanotron(**changes), context).notes, severity)


def test_a_world_that_does_not_fit_is_an_error_with_both_mends() -> None:
    context = dataclasses.replace(SIXTY_FOUR_GPUS, gpus_per_node=4, processes_per_node=4)
    assert messages(translate(nanotron(), context).notes, "error") == [
        "parallelism asks for dp·tp·pp = 64·1·1 = 64 processes, but 8 nodes with 4 GPUs give 32: set parallelism.dp to "
        "32 (which changes the global batch), or change nodes or gpusPerNode to make 64."
    ]


def test_a_world_on_cpu_is_one_process_a_node() -> None:
    context = dataclasses.replace(SIXTY_FOUR_GPUS, nodes=2, gpus_per_node=0, processes_per_node=1, cpu=True)
    assert translate(nanotron(parallelism__dp=2), context).errors == ()
    assert "2 nodes with 1 process each (CPU) give 2" in translate(nanotron(), context).errors[0].message


def test_a_rope_theta_that_0_4_does_not_have_is_an_error() -> None:
    (message,) = messages(translate(nanotron(model__model_config__rope_theta=5e5), SIXTY_FOUR_GPUS).notes, "error")
    assert message == (
        "model.model_config.rope_theta is 500000, but nanotron 0.4 always uses 10000: set it to 10000, or name "
        "torch as spec.pretrain.engine."
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({SCHEDULE + "lr_decay_steps": 2_000_000}, "past tokens.train_steps 2,000,000: set lr_decay_steps"),
        ({SCHEDULE + "min_decay_lr": 0.1}, "above learning_rate 0.003"),
        ({SCHEDULE + "lr_decay_style": "1-sqrt"}, "takes one of linear, cosine"),
        ({"tokens__sequence_length": 8192}, "is longer than model.model_config.max_position_embeddings 4,096"),
        ({MODEL + "num_attention_heads": 14}, "does not divide hidden_size 960"),
        ({MODEL + "num_attention_heads": 64, MODEL + "num_key_value_heads": 8}, "heads of 15 numbers"),
        ({MODEL + "num_key_value_heads": 4}, "does not divide num_attention_heads 15"),
        ({MODEL + "vocab_size": 32000}, "less than the 128,256 ids of the tokenizer models/Llama-3.2-1B"),
        ({MODEL + "bos_token_id": 128256}, "is no id of a vocabulary of 128,256"),
        ({"optimizer__zero_stage": 3}, "takes a whole number from 0 to 1"),
        ({"optimizer__optimizer_factory__name": "sgd"}, "takes one of adamW"),
        ({"parallelism__pp": 2, "parallelism__dp": 32, MODEL + "num_hidden_layers": 1}, "more than the 1 layers"),
        ({"parallelism__pp": 4, "parallelism__dp": 16}, "needs at least 3 micro-batches a step"),
        ({"parallelism__tp": 2, "parallelism__dp": 32}, "does not divide model.model_config.num_attention_heads 15"),
        ({"tokens__global_batch_size": 256}, "is no key of nanotron: its global batch is micro_batch_size"),
        ({"model__init_method": {"path": "x", "std": 0.1}}, "starts from other weights"),
        ({"parallelism__expert_parallel_size": 2}, "a Llama has no experts"),
    ],
)  # fmt: skip
def test_a_contradiction_is_an_error(changes: dict[str, Any], words: str) -> None:
    assert any(words in message for message in _said("error", **changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({SCHEDULE + "lr_decay_starting_step": 1000}, "so it jumps: set lr_decay_starting_step to at least 4,000"),
        ({SCHEDULE + "lr_warmup_steps": 2_000_000}, "never reaches 0.003"),
        ({"model__make_vocab_size_divisible_by": 1000}, "padded to 129,000"),
        ({"checkpoints__checkpoint_interval": 3_000_000}, "only the last step is saved"),
        ({"parallelism__recompute_layer": True}, "lower tokens.micro_batch_size where memory is short"),
        ({"s3_upload": {"upload_s3_path": "s3://x"}}, "checkpoints stay on the run's volume"),
    ],
)
def test_a_likely_mistake_is_a_warning_and_runs(changes: dict[str, Any], words: str) -> None:
    assert any(words in message for message in _said("warning", **changes))
    assert not _said("error", **changes)


def test_a_schedule_that_ends_with_the_run_says_nothing() -> None:
    assert not any("learning rate" in message for message in _said("warning", tokens__train_steps=800_000))


def test_short_sequences_set_the_positions() -> None:
    translation = translate(nanotron(tokens__sequence_length=1024), SIXTY_FOUR_GPUS)
    assert translation.config["model"]["model_config"]["max_position_embeddings"] == 1024
    assert any("4,096 runs as 1,024" in message for message in messages(translation.notes, "translated"))


def test_tensor_parallelism_keeps_its_mode() -> None:
    context = dataclasses.replace(SIXTY_FOUR_GPUS, nodes=40)
    translation = translate(nanotron(**FIVE_WAYS), context)
    assert translation.errors == ()
    assert translation.config["parallelism"]["tp_mode"] == "REDUCE_SCATTER"
    assert translation.config["parallelism"]["tp_linear_async_communication"] is True


def test_asynchronous_communication_needs_reduce_scatter() -> None:
    (message,) = _said("error", 320, parallelism__tp_mode="ALL_REDUCE", **FIVE_WAYS)
    assert message.endswith("needs tp_mode REDUCE_SCATTER: change one of them.")


def test_reduce_scatter_needs_sequences_that_tp_divides() -> None:
    (message,) = _said("error", 320, **FIVE_WAYS | {"tokens__sequence_length": 4096})
    assert "does not divide tokens.sequence_length 4096" in message
