"""A published nanotron configuration becomes one that nanotron 0.4 runs."""

import dataclasses
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from published import SIXTY_FOUR_GPUS, messages, nanotron
from trainingrun.api.nanotron_config import translate
from trainingrun.api.nanotron_keys import NANOTRON_TABLE

# The fields of nanotron 0.4's own dataclasses, which take no other key.
FIELDS = {
    "general": "project run seed step consumed_train_samples benchmark_csv_path ignore_sanity_checks",
    "parallelism": "dp pp tp pp_engine tp_mode tp_linear_async_communication expert_parallel_size",
    "model": "model_config init_method dtype make_vocab_size_divisible_by ddp_bucket_cap_mb",
    "tokenizer": "tokenizer_name_or_path tokenizer_revision tokenizer_max_length",
    "checkpoints": "checkpoints_path checkpoint_interval save_initial_state resume_checkpoint_path "
    "checkpoints_path_is_shared_file_system",
    "logging": "log_level log_level_replica iteration_step_info_interval",
    "tokens": "sequence_length train_steps micro_batch_size batch_accumulation_per_replica val_check_interval "
    "limit_val_batches limit_test_batches",
    "optimizer": "zero_stage weight_decay clip_grad accumulate_grad_in_fp32 adam_eps adam_beta1 adam_beta2 "
    "torch_adam_is_fused learning_rate_scheduler",
    "data": "dataset seed num_loading_workers",
}
MODEL_FIELDS = (
    "bos_token_id eos_token_id hidden_act hidden_size initializer_range intermediate_size is_llama_config "
    "max_position_embeddings num_attention_heads num_hidden_layers num_key_value_heads pad_token_id pretraining_tp "
    "rms_norm_eps rope_scaling tie_word_embeddings use_cache vocab_size"
)
SCHEDULE_FIELDS = (
    "learning_rate lr_warmup_steps lr_warmup_style lr_decay_style lr_decay_steps lr_decay_starting_step min_decay_lr"
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=20,
)


def test_the_published_configuration_is_accepted_as_pasted() -> None:
    translation = translate(nanotron(), SIXTY_FOUR_GPUS)
    assert translation.errors == ()
    assert (translation.dp, translation.tp, translation.pp) == (64, 1, 1)
    assert translation.total_steps == 2_000_000
    assert translation.tokens_per_step == 64 * 4 * 4096
    assert translation.checkpoint_every == 5000
    assert translation.token_bytes == 4
    assert translation.vocab_size == 128_256
    assert translation.seed == 8


def test_the_published_model_has_its_published_number_of_parameters() -> None:
    assert round(translate(nanotron(), SIXTY_FOUR_GPUS).parameters / 1e6, 1) == 437.8


def test_what_runs_holds_only_fields_of_nanotron_0_4() -> None:
    config = translate(nanotron(), SIXTY_FOUR_GPUS).config
    assert config.keys() == FIELDS.keys()
    for section, fields in FIELDS.items():
        assert config[section].keys() <= set(fields.split()), section
    assert config["model"]["model_config"].keys() == set(MODEL_FIELDS.split())
    assert config["optimizer"]["learning_rate_scheduler"].keys() == set(SCHEDULE_FIELDS.split())


def test_what_runs_has_the_published_values() -> None:
    config = translate(nanotron(), SIXTY_FOUR_GPUS).config
    assert config["optimizer"]["adam_beta2"] == 0.95
    assert config["optimizer"]["learning_rate_scheduler"]["min_decay_lr"] == 1e-7
    assert config["model"]["init_method"] == {"std": 0.03227}
    assert config["model"]["model_config"]["num_key_value_heads"] == 5
    assert config["data"] == {"dataset": None, "num_loading_workers": 0, "seed": 8}
    assert config["general"]["run"] == "zagreus-0.4b-ita"
    assert config["tokenizer"] == {"tokenizer_name_or_path": "models/Llama-3.2-1B"}


@pytest.mark.parametrize(
    ("severity", "words"),
    [
        ("warning", "60 % of the run trains at it: set tokens.train_steps to 800,000"),
        ("warning", "resume_checkpoint_path"),
        ("warning", "10 of 10 folders"),
        ("translated", "optimizer_factory becomes nanotron 0.4's own keys"),
        ("translated", "rope_interleaved false runs interleaved"),
        ("translated", "tp_linear_async_communication run as ALL_REDUCE and false"),
        ("ignored", "tokens.val_check_interval has no effect"),
        ("ignored", 'tokenizer_name_or_path "meta-llama/Llama-3.2-1B" is not loaded'),
        ("ignored", "checkpoints_path_is_shared_file_system false runs as true"),
        ("ignored", "save_final_state false runs as true"),
        ("ignored", "tp_recompute_allgather"),
        ("ignored", 'checkpoints_path "checkpoints_zagreus_ita_v2" is not used'),
        ("ignored", 'general.run "zagreus-350M" is not used'),
    ],
)
def test_the_published_configuration_gets_its_notes(severity: str, words: str) -> None:
    notes = translate(nanotron(), SIXTY_FOUR_GPUS).notes
    assert sum(words in message for message in messages(notes, severity)) == 1
    assert len(notes) == 13


def _as_the_api_server_stores_it(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _as_the_api_server_stores_it(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_as_the_api_server_stores_it(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def test_whole_floats_and_nulls_make_no_difference() -> None:
    stored = _as_the_api_server_stores_it(nanotron())
    assert stored["optimizer"]["clip_grad"] == 1 and "profiler" not in stored
    assert translate(stored, SIXTY_FOUR_GPUS) == translate(nanotron(), SIXTY_FOUR_GPUS)
    clip = translate(stored, SIXTY_FOUR_GPUS).config["optimizer"]["clip_grad"]
    assert isinstance(clip, float)


def test_an_exponent_without_a_point_is_a_number() -> None:
    config = nanotron(optimizer__optimizer_factory__adam_eps="1e-8")
    assert translate(config, SIXTY_FOUR_GPUS).config["optimizer"]["adam_eps"] == 1e-8


def test_a_configuration_of_the_released_schema_needs_no_translation() -> None:
    flat = {"adam_beta1": 0.9, "adam_beta2": 0.95, "adam_eps": 1e-8, "torch_adam_is_fused": True}
    changes = {f"optimizer__{key}": value for key, value in flat.items()}
    released = nanotron(
        data_stages=None, optimizer__optimizer_factory=None, data={"dataset": None, "seed": 8}, **changes
    )
    translation = translate(released, SIXTY_FOUR_GPUS)
    assert translation.errors == ()
    published = translate(nanotron(), SIXTY_FOUR_GPUS)
    assert translation.config["optimizer"] == published.config["optimizer"]


def test_an_adam_that_is_set_twice_differently_is_refused() -> None:
    notes = translate(nanotron(optimizer__adam_beta1=0.8), SIXTY_FOUR_GPUS).notes
    assert messages(notes, "error") == [
        "optimizer.adam_beta1 and optimizer.optimizer_factory.adam_beta1 set the same value differently: keep one of "
        "them."
    ]


def test_a_misspelt_key_is_refused_with_the_nearest_one() -> None:
    notes = translate(nanotron(tokens__micro_batchsize=4), SIXTY_FOUR_GPUS).notes
    assert messages(notes, "error") == [
        "tokens.micro_batchsize is not a known key: did you mean tokens.micro_batch_size?"
    ]


def test_a_key_in_the_wrong_section_is_refused_with_its_place() -> None:
    (message,) = messages(translate(nanotron(optimizer__learning_rate=0.1), SIXTY_FOUR_GPUS).notes, "error")
    assert message.endswith("did you mean optimizer.learning_rate_scheduler.learning_rate?")


def test_a_key_like_no_other_is_to_be_removed() -> None:
    assert messages(translate(nanotron(zzzzzzzz=1), SIXTY_FOUR_GPUS).notes, "error") == [
        "zzzzzzzz is not a known key: remove it."
    ]


def test_a_section_that_is_a_value_is_refused() -> None:
    (message, *_) = messages(translate(nanotron(tokens=4), SIXTY_FOUR_GPUS).notes, "error")
    assert message == "tokens is 4, but is a section: write keys below it."


def test_a_spec_s_own_interval_goes_before_the_configuration_s() -> None:
    translation = translate(nanotron(), dataclasses.replace(SIXTY_FOUR_GPUS, checkpoint_every=1000))
    assert translation.checkpoint_every == 1000
    assert translation.config["checkpoints"]["checkpoint_interval"] == 1000
    assert any("5000 runs as 1000" in message for message in messages(translation.notes, "translated"))


def test_an_interval_that_is_nowhere_is_an_error() -> None:
    (message,) = messages(translate(nanotron(checkpoints=None), SIXTY_FOUR_GPUS).notes, "error")
    assert "checkpoint_interval is missing" in message and "spec.pretrain.checkpoints.every" in message


def test_a_missing_accumulation_tells_what_a_step_is() -> None:
    translation = translate(nanotron(tokens__batch_accumulation_per_replica=None), SIXTY_FOUR_GPUS)
    (message,) = [one for one in messages(translation.notes, "warning") if "batch_accumulation" in one]
    assert "256 sequences of 4,096 = 1,048,576 tokens" in message
    assert translation.config["tokens"]["batch_accumulation_per_replica"] == 1


def test_a_decay_without_a_length_ends_with_the_run() -> None:
    translation = translate(nanotron(optimizer__learning_rate_scheduler__lr_decay_steps=None), SIXTY_FOUR_GPUS)
    assert translation.config["optimizer"]["learning_rate_scheduler"]["lr_decay_steps"] == 1_250_000
    assert any("runs as 1,250,000" in message for message in messages(translation.notes, "translated"))


def test_a_missing_floor_of_the_learning_rate_is_said() -> None:
    notes = translate(nanotron(optimizer__learning_rate_scheduler__min_decay_lr=None), SIXTY_FOUR_GPUS).notes
    assert any("stays at 0.003 for good" in message for message in messages(notes, "warning"))


def test_a_vocabulary_of_minus_one_is_the_tokenizer_s() -> None:
    config = nanotron(model__model_config__vocab_size=-1)
    assert translate(config, SIXTY_FOUR_GPUS).vocab_size == 128_256
    unknown = translate(config, dataclasses.replace(SIXTY_FOUR_GPUS, vocab_size=None))
    assert "the tokenizer is not known yet" in unknown.errors[0].message


def test_a_small_vocabulary_takes_two_bytes_a_token() -> None:
    config = nanotron(
        model__model_config__vocab_size=1000,
        model__model_config__bos_token_id=0,
        model__model_config__eos_token_id=0,
    )
    context = dataclasses.replace(SIXTY_FOUR_GPUS, vocab_size=1000)
    assert translate(config, context).token_bytes == 2


def test_an_empty_configuration_names_every_required_key_with_an_example() -> None:
    errors = messages(translate({}, SIXTY_FOUR_GPUS).notes, "error")
    assert len(errors) == sum(key.example is not None for key in NANOTRON_TABLE.keys) + 1
    assert "tokens.train_steps is missing: add it, for example train_steps: 100000." in errors
    assert all("for example" in message for message in errors)


@pytest.mark.parametrize("config", [[], "text", 3, None, {"a": [{}] * 3}, {"general": [[[[]]]]}])
def test_what_is_no_configuration_is_an_error(config: Any) -> None:
    assert translate(config, SIXTY_FOUR_GPUS).errors


def test_a_bottomless_configuration_is_an_error() -> None:
    config: dict[str, Any] = {}
    for _ in range(2000):
        config = {"general": config}
    assert "levels deep" in translate(config, SIXTY_FOUR_GPUS).errors[0].message


def test_a_number_beyond_64_bits_is_an_error() -> None:
    assert "64 bits" in translate(nanotron(general__seed=10**400), SIXTY_FOUR_GPUS).errors[0].message


@given(st.dictionaries(st.text(max_size=20), json_values, max_size=6))
@settings(max_examples=100, deadline=None)
def test_no_mapping_makes_it_raise(config: dict[str, Any]) -> None:
    assert translate(config, SIXTY_FOUR_GPUS).errors


@given(st.sampled_from([key.path for key in NANOTRON_TABLE.keys]), json_values)
@settings(max_examples=400, deadline=None)
def test_no_value_of_any_key_makes_it_raise(path: str, value: Any) -> None:
    for note in translate(nanotron(**{path.replace(".", "__"): value}), SIXTY_FOUR_GPUS).notes:
        assert note.message.endswith((".", "?")) and "\n" not in note.message


def test_a_change_to_what_was_returned_changes_nothing() -> None:
    translate(nanotron(), SIXTY_FOUR_GPUS).config["tokens"]["train_steps"] = 1
    assert translate(nanotron(), SIXTY_FOUR_GPUS).config["tokens"]["train_steps"] == 2_000_000


def test_a_repeat_takes_less_than_a_millisecond() -> None:
    config = nanotron()
    translate(config, SIXTY_FOUR_GPUS)
    start = time.process_time()
    for _ in range(200):
        translate(config, SIXTY_FOUR_GPUS)
    assert (time.process_time() - start) / 200 < 0.001
