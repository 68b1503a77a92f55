"""Every key of the Axolotl tables does what its row says."""

import dataclasses
import zipfile
from pathlib import Path
from typing import Any

import pytest

from published import ONE_CPU, THIRTY_TWO_GPUS, axolotl, messages
from trainingrun.api import axolotl_schema
from trainingrun.api.axolotl_config import translate
from trainingrun.api.axolotl_keys import ATTENTION_FLAGS, ATTENTION_SHORT, CPU_VALUES, KNOWN, OWNED, REFUSED, RENAMED

SAMPLES: dict[str, Any] = {"bool": True, "int": 3, "float": 0.5, "str": "text", "list": ["a"], "dict": {"a": 1}}
# Keys that cannot stand beside others of the published configuration.
ALONE = {
    "evals_per_epoch": {"eval_steps": None, "eval_strategy": None},
    "saves_per_epoch": {"save_steps": None, "save_strategy": None},
    "batch_size": {"gradient_accumulation_steps": None},
    "test_datasets": {"val_set_size": None},
    "eval_strategy": {"eval_steps": None},
    "save_strategy": {"save_steps": None},
    "attn_implementation": {"flash_attention": None},
    **{key: {"flash_attention": None} for key in ATTENTION_FLAGS},
    **{old: {new: None} for old, new in RENAMED.items()},
    "evaluation_strategy": {"eval_strategy": None, "eval_steps": None},
}
WORDS: dict[str, Any] = {
    "datasets": [{"path": "a.jsonl", "type": "completion"}],
    "test_datasets": [{"path": "a.jsonl", "type": "completion"}],
    "attn_implementation": "sdpa",
    "chat_template_jinja": "{{ messages }}",
    "special_tokens": {"pad_token": "<pad>"},
    "fsdp_config": {"offload_params": True},
    "fsdp": ["full_shard", "auto_wrap"],
    "learning_rate": 0.5,
    "context_parallel_size": 2,
    "tensor_parallel_size": 2,
    "sequence_parallel_degree": 2,
}
HONOURED = sorted(KNOWN["top"].keys() - OWNED.keys() - REFUSED.keys())


def _sample(key: str) -> Any:
    return WORDS.get(key) or next((SAMPLES[one] for one in SAMPLES if one in KNOWN["top"][key]), "anything")


@pytest.mark.parametrize("key", HONOURED)
def test_a_key_that_axolotl_knows_is_accepted(key: str) -> None:
    config = axolotl(**ALONE.get(key, {})) | {key: _sample(key)}
    assert translate(config, THIRTY_TWO_GPUS).errors == ()


@pytest.mark.parametrize("key", sorted(OWNED))
def test_a_key_that_the_run_owns_is_left_out_and_said(key: str) -> None:
    translation = translate(axolotl() | {key: "something"}, THIRTY_TWO_GPUS)
    (note,) = [one for one in translation.notes if one.path == key]
    assert note.severity == "ignored" and note.message.startswith(key) and note.message.endswith(".")
    assert key == "auto_resume_from_checkpoints" or key not in translation.config


@pytest.mark.parametrize("key", sorted(REFUSED))
def test_a_key_that_no_stage_can_have_is_refused(key: str) -> None:
    (error,) = translate(axolotl() | {key: "something"}, THIRTY_TWO_GPUS).errors
    assert error.path == key and error.message.startswith(key) and error.message.endswith(".")
    off = translate(axolotl() | {key: False}, THIRTY_TWO_GPUS)
    assert off.errors == () and key not in off.config


@pytest.mark.parametrize(("old", "new"), sorted(RENAMED.items()))
def test_an_older_name_becomes_today_s(old: str, new: str) -> None:
    config = axolotl(**{new: None}) | {old: _sample(new)}
    translation = translate(config, THIRTY_TWO_GPUS)
    assert translation.config[new] == _sample(new) and old not in translation.config
    assert f"{old} becomes {new}, its name of today." in messages(translation.notes, "translated")


@pytest.mark.parametrize(("old", "new"), sorted(RENAMED.items()))
def test_an_older_name_beside_another_value_is_refused(old: str, new: str) -> None:
    config = axolotl() | {old: _sample(new), new: "other"}
    assert any("differently" in error.message for error in translate(config, THIRTY_TWO_GPUS).errors)


@pytest.mark.parametrize(("flag", "name"), sorted(ATTENTION_FLAGS.items()))
def test_an_attention_flag_becomes_an_implementation(flag: str, name: str) -> None:
    bare = axolotl(flash_attention=None)
    assert translate(bare | {flag: True}, THIRTY_TWO_GPUS).config["attn_implementation"] == name
    off = translate(bare | {flag: False}, THIRTY_TWO_GPUS)
    assert off.errors == () and not off.config.keys() & {flag, "attn_implementation"}


@pytest.mark.parametrize(("short", "name"), sorted(ATTENTION_SHORT.items()))
def test_a_short_attention_becomes_its_full_name(short: str, name: str) -> None:
    config = axolotl(flash_attention=None, attn_implementation=short)
    assert translate(config, THIRTY_TWO_GPUS).config["attn_implementation"] == name


def test_two_attentions_are_refused() -> None:
    assert messages(translate(axolotl(sdp_attention=True), THIRTY_TWO_GPUS).notes, "error") == [
        "flash_attention and sdp_attention ask for flash_attention_2, sdpa: keep one of them."
    ]


def test_an_attention_that_is_none_is_refused() -> None:
    config = axolotl(flash_attention=None, attn_implementation="flash_attention_9")
    assert "is none of eager, sdpa" in translate(config, THIRTY_TWO_GPUS).errors[0].message


@pytest.mark.parametrize("key", sorted(CPU_VALUES))
def test_what_needs_a_gpu_is_replaced_on_cpu(key: str) -> None:
    translation = translate(axolotl() | {key: _sample(key)}, ONE_CPU)
    assert translation.errors == ()
    assert translation.config.get(key) is CPU_VALUES[key]
    assert any(one.path == key and one.message.endswith("the stage has no GPU.") for one in translation.notes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"warmup_steps": 3, "warmup_ratio": 0.1}, "warmup_steps and warmup_ratio say the same in two ways"),
        ({"saves_per_epoch": 1}, "save_steps and saves_per_epoch"),
        ({"evals_per_epoch": 1}, "eval_steps and evals_per_epoch"),
        ({"batch_size": 8}, "gradient_accumulation_steps and batch_size"),
        ({"test_datasets": [{"path": "a", "type": "completion"}]}, "test_datasets and val_set_size"),
        ({"save_strategy": "epoch"}, "save_steps is given"),
        ({"eval_strategy": "epoch"}, "eval_steps is given"),
        ({"val_set_size": 0}, "an evaluation is asked for"),
        ({"learning_rate": 0}, "takes a number above 0"),
        ({"learning_rate": "fast"}, "takes a number above 0"),
        ({"micro_batch_size": 0}, "micro_batch_size is 0"),
        ({"chat_template": "jinja", "chat_template_jinja": None}, "add the template"),
        ({"chat_template_jinja": "chatml.jinja"}, "is no Jinja template"),
        ({"fsdp_config__fsdp_sharding_strategy": "HYBRID_SHARD"}, "give dp_shard_size and dp_replicate_size"),
        ({"fsdp_config": "full"}, "is a section"),
        ({"fsdp": ["full_shard", "magic"]}, 'fsdp holds "magic"'),
    ],
)
def test_a_contradiction_is_an_error(changes: dict[str, Any], words: str) -> None:
    assert any(words in message for message in messages(translate(axolotl(**changes), THIRTY_TWO_GPUS).notes, "error"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"save_only_model": True}, "leaves the optimizer out"),
        ({"save_strategy": "no", "save_steps": None}, "writes no checkpoints"),
        ({"chat_template_jinja": None}, "the tokenizer must bring a template of its own"),
        ({"chat_template_jinja": "{% for message in messages %}{{ message"}, "check that all of it was pasted"),
    ],
)
def test_a_likely_mistake_is_a_warning_and_runs(changes: dict[str, Any], words: str) -> None:
    translation = translate(axolotl(**changes), THIRTY_TWO_GPUS)
    assert any(words in message for message in messages(translation.notes, "warning"))
    assert translation.errors == ()


def test_a_batch_size_becomes_accumulation() -> None:
    config = axolotl(gradient_accumulation_steps=None, batch_size=16, micro_batch_size=4)
    translation = translate(config, dataclasses.replace(THIRTY_TWO_GPUS, nodes=1))
    assert translation.config["gradient_accumulation_steps"] == 4 and "batch_size" not in translation.config
    assert translation.global_batch == 4 * 4 * 8


def test_the_list_of_keys_is_made_from_a_wheel(tmp_path: Path) -> None:
    wheel = tmp_path / "axolotl-9.9-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(
            "axolotl/utils/schemas/config.py",
            "class Base(BaseModel):\n    seed: int | None = None\n"
            "class AxolotlInputConfig(Base):\n"
            "    bf16: Literal['auto'] | bool | None = None\n"
            "    datasets: Annotated[list[SFTDataset], MinLen(1)] | None = None\n"
            "    overrides: dict[str, Any] | None = Field(default=None, alias='model_config')\n"
            "    trl: TRLConfig | None = None\n",
        )
        archive.writestr("axolotl/integrations/fast/args.py", "class FastArgs(BaseModel):\n    fast: bool = True\n")
        archive.writestr(
            "axolotl/integrations/fast/plugin.py",
            'def get_input_args():\n    return "axolotl.integrations.fast.args.FastArgs"\n',
        )
    assert list(axolotl_schema.keys(wheel)) == [
        ("top", "bf16", "str|bool"),
        ("top", "datasets", "list"),
        ("top", "model_config", "dict"),
        ("top", "seed", "int"),
        ("top", "trl", "dict"),
        ("plugin", "fast", "any"),
    ]
