"""A published Axolotl configuration becomes one that Axolotl 0.19.0 runs in a stage."""

import dataclasses
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from published import ONE_CPU, THIRTY_TWO_GPUS, axolotl, messages
from trainingrun.api.axolotl_config import translate
from trainingrun.api.axolotl_keys import KNOWN

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=20,
)


def _said(severity: str, **changes: Any) -> list[str]:
    return messages(translate(axolotl(**changes), THIRTY_TWO_GPUS).notes, severity)


def test_the_published_configuration_is_accepted_as_pasted() -> None:
    translation = translate(axolotl(), THIRTY_TWO_GPUS)
    assert translation.errors == ()
    assert translation.global_batch == 256
    assert translation.sequence_length == 4096
    assert translation.datasets == ("training/openitaliandata",)


def test_what_runs_has_the_published_values_in_today_s_spelling() -> None:
    config = translate(axolotl(), THIRTY_TWO_GPUS).config
    assert config["attn_implementation"] == "flash_attention_2"
    assert config["fsdp_version"] == 2
    assert config["fsdp_config"] == {
        "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
        "reshard_after_forward": True,
        "state_dict_type": "FULL_STATE_DICT",
        "transformer_layer_cls_to_wrap": "LlamaDecoderLayer",
    }
    assert config["datasets"] == [
        {
            "path": "training/openitaliandata",
            "type": "chat_template",
            "field_messages": "conversation",
            "roles_to_train": ["assistant"],
            "train_on_eos": "turn",
        }
    ]
    assert config["learning_rate"] == 0.001
    assert config["chat_template_jinja"] == axolotl()["chat_template_jinja"]
    assert config["auto_resume_from_checkpoints"] is True
    assert config.keys() <= KNOWN["top"].keys()
    assert not config.keys() & {"base_model", "output_dir", "dataset_prepared_path", "flash_attention"}


@pytest.mark.parametrize(
    ("severity", "words"),
    [
        ("ignored", 'base_model "giux78/zagreus-0.4B-ita" is not loaded: the stage starts from'),
        ("ignored", "output_dir"),
        ("ignored", "dataset_prepared_path"),
        ("ignored", "fsdp_backward_prefetch_policy is left out"),
        ("translated", "flash_attention becomes attn_implementation: flash_attention_2"),
        ("translated", "fsdp_auto_wrap_policy becomes fsdp_config.auto_wrap_policy"),
        ("translated", "fsdp_state_dict_type becomes"),
        ("translated", "fsdp_transformer_layer_cls_to_wrap becomes"),
        ("translated", '"FULL_SHARD" becomes fsdp_config.reshard_after_forward true'),
        ("translated", "fsdp_version runs as 2"),
        ("translated", '"/training/openitaliandata" is read as training/openitaliandata on the run\'s volume'),
        ("translated", "1 · gradient_accumulation_steps 8 · 32 replica(s) = 256 sequences of up to 4,096 tokens"),
        ("warning", 'have no effect with lr_scheduler "constant"'),
        ("warning", 'pad_token and eos_token are both "<|im_end|>"'),
    ],
)
def test_the_published_configuration_gets_its_notes(severity: str, words: str) -> None:
    notes = translate(axolotl(), THIRTY_TWO_GPUS).notes
    assert sum(words in message for message in messages(notes, severity)) == 1
    assert len(notes) == 14


def test_a_stage_without_gpus_leaves_out_what_needs_one_and_says_so() -> None:
    translation = translate(axolotl(tf32=True), ONE_CPU)
    config = translation.config
    assert (config["attn_implementation"], config["bf16"], config["fp16"], config["tf32"]) == ("sdpa",) + (False,) * 3
    assert "fsdp_config" not in config and "fsdp_version" not in config
    said = messages(translation.notes, "translated")
    assert 'attn_implementation "flash_attention_2" runs as sdpa: the stage has no GPU.' in said
    assert 'bf16 "auto" runs as false: the stage has no GPU.' in said
    assert "tf32 true runs as false: the stage has no GPU." in said
    assert "fsdp_config is left out: the stage has no GPU." in said
    assert translation.global_batch == 8


def test_a_stage_without_gpus_says_nothing_of_what_was_never_asked() -> None:
    bare = axolotl(flash_attention=None, bf16=None, fsdp_config=None)
    translation = translate(bare, ONE_CPU)
    assert not any("no GPU" in note.message for note in translation.notes)
    assert translation.config["attn_implementation"] == "sdpa"


def test_an_optimizer_of_gpus_is_replaced_on_cpu() -> None:
    assert translate(axolotl(optimizer="adamw_bnb_8bit"), ONE_CPU).config["optimizer"] == "adamw_torch_fused"


def test_several_processes_on_cpu_are_an_error() -> None:
    (error,) = translate(axolotl(), dataclasses.replace(ONE_CPU, nodes=2)).errors
    assert error.message.endswith("trains on CPU in one process: set nodes: 1.")


def test_one_gpu_shares_its_model_with_nobody() -> None:
    translation = translate(axolotl(), dataclasses.replace(THIRTY_TWO_GPUS, nodes=1, gpus_per_node=1))
    assert "fsdp_config" not in translation.config
    assert "fsdp_config is left out: one process has nothing to share the model with." in messages(
        translation.notes, "translated"
    )


def test_ranks_that_share_a_sequence_make_the_batch_smaller() -> None:
    assert translate(axolotl(context_parallel_size=4), THIRTY_TWO_GPUS).global_batch == 64
    assert any("does not divide the 32 processes" in one for one in _said("error", context_parallel_size=3))


def _as_the_api_server_stores_it(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_the_api_server_stores_it(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_as_the_api_server_stores_it(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def test_whole_floats_and_nulls_make_no_difference() -> None:
    config = axolotl() | {"max_steps": None, "num_epochs": 3.0}
    assert translate(_as_the_api_server_stores_it(config), THIRTY_TWO_GPUS) == translate(config, THIRTY_TWO_GPUS)


def test_a_misspelt_key_is_refused_with_the_nearest_one() -> None:
    assert _said("error", sample_pakcing=True) == ["sample_pakcing is not a known key: did you mean sample_packing?"]


def test_a_misspelt_key_of_a_section_is_refused_with_the_nearest_one() -> None:
    assert _said("error", fsdp_config__fsdp_state_dict_typ="X") == [
        "fsdp_config.state_dict_typ is not a known key: did you mean fsdp_config.state_dict_type?"
    ]
    assert _said("error", special_tokens__pad_tokn="x") == [
        "special_tokens.pad_tokn is not a known key: did you mean special_tokens.pad_token?"
    ]


def test_a_value_of_the_wrong_type_is_an_error_that_names_the_key() -> None:
    assert _said("error", micro_batch_size="four") == ['micro_batch_size is "four", but takes a whole number.']
    assert _said("error", sample_packing=3) == ["sample_packing is 3, but takes true or false."]


def test_an_exponent_without_a_point_is_a_number() -> None:
    assert translate(axolotl(warmup_ratio="3e-2"), THIRTY_TWO_GPUS).config["warmup_ratio"] == 0.03


def test_a_plugin_s_key_needs_the_plugin() -> None:
    assert "plugins is missing" in _said("error", liger_rope=True)[0]
    plugin = ["axolotl.integrations.liger.LigerPlugin"]
    translation = translate(axolotl(liger_rope=True, plugins=plugin), THIRTY_TWO_GPUS)
    assert translation.errors == () and translation.config["liger_rope"] is True


def test_an_empty_configuration_names_what_is_missing_with_examples() -> None:
    errors = messages(translate({}, THIRTY_TWO_GPUS).notes, "error")
    assert [message.split(":")[0] for message in errors] == ["datasets is missing", "learning_rate is missing"]
    assert all("for example" in message for message in errors)


@pytest.mark.parametrize("config", [[], "text", 3, None])
def test_what_is_no_configuration_is_an_error(config: Any) -> None:
    assert translate(config, THIRTY_TWO_GPUS).errors


@given(st.dictionaries(st.text(max_size=20), json_values, max_size=6))
@settings(max_examples=100, deadline=None)
def test_no_mapping_makes_it_raise(config: dict[str, Any]) -> None:
    assert translate(config, THIRTY_TWO_GPUS).errors


KEYS = sorted({*KNOWN["top"], *KNOWN["plugin"], "fsdp_config__fsdp_sharding_strategy", "special_tokens__pad_token"})


@given(st.sampled_from(KEYS), json_values, st.sampled_from([THIRTY_TWO_GPUS, ONE_CPU]))
@settings(max_examples=800, deadline=None)
def test_no_value_of_any_key_makes_it_raise(path: str, value: Any, context: Any) -> None:
    for note in translate(axolotl(**{path: value}), context).notes:
        assert note.message.endswith((".", "?")) and "\n" not in note.message


def test_a_change_to_what_was_returned_changes_nothing() -> None:
    translate(axolotl(), THIRTY_TWO_GPUS).config["datasets"].clear()
    assert len(translate(axolotl(), THIRTY_TWO_GPUS).config["datasets"]) == 1


def test_a_repeat_takes_less_than_a_millisecond() -> None:
    config = axolotl()
    translate(config, THIRTY_TWO_GPUS)
    start = time.process_time()
    for _ in range(200):
        translate(config, THIRTY_TWO_GPUS)
    assert (time.process_time() - start) / 200 < 0.001
