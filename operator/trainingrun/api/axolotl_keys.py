"""What becomes of the keys of an Axolotl configuration when Axolotl 0.19.0 trains from it in a pod of a run.

Every key that Axolotl knows is honoured, save those in these tables. Axolotl itself drops unknown keys without a
word, so `KNOWN` holds all that it knows, from axolotl_keys.txt (made by `axolotl_schema`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final


def _known() -> Mapping[str, Mapping[str, frozenset[str]]]:
    sections: dict[str, dict[str, frozenset[str]]] = {}
    for line in Path(__file__).with_name("axolotl_keys.txt").read_text().splitlines():
        if not line.startswith("#"):
            section, key, types = line.split()
            sections.setdefault(section, {})[key] = frozenset(types.split("|"))
    return sections


KNOWN: Final = _known()  # section -> key -> JSON types; sections as in axolotl_schema


def _group(sentence: str, *names: str) -> dict[str, str]:
    return {name: sentence for name in names}


def _starting(*prefixes: str) -> tuple[str, ...]:
    return tuple(key for key in (*KNOWN["top"], *KNOWN["plugin"]) if key.startswith(prefixes))


# Keys that the run owns; {key}, {value} and {base} stand for the key, its value and the model that is started from.
OWNED: Final[Mapping[str, str]] = {
    **_group("{key} {value} is not loaded: the stage starts from the run's model {base}.", "base_model"),
    **_group(
        "{key} is not used: the stage takes it from the run's model {base}.",
        "base_model_config", "tokenizer_config", "model_revision",
    ),
    **_group("{key} {value} is not used: the model goes to the stage's own folder on the volume.", "output_dir"),
    **_group(
        "{key} {value} is not used: prepared data go to the stage's own folder on the volume.", "dataset_prepared_path"
    ),
    **_group(
        "{key} is not used: a stage goes on from its own newest complete checkpoint.",
        "resume_from_checkpoint", "auto_resume_from_checkpoints",
    ),
    **_group(
        "{key} is not used: models stay on the volume, where the release stage finds them.",
        "hub_model_id", "hub_strategy", "hub_revision", "push_dataset_to_hub", "hf_use_auth_token",
    ),
    **_group(
        "{key} is not used: processes and devices follow from the stage's nodes and gpusPerNode.",
        "world_size", "local_rank", "device", "device_map", "ddp",
    ),
    **_group(
        "{key} is not used: progress and losses are in the run's status and metrics.",
        *_starting("use_wandb", "wandb_", "use_mlflow", "mlflow_", "hf_mlflow", "use_comet", "comet_", "use_trackio",
                   "trackio_", "use_otel", "otel_", "swanlab_", "use_swanlab"),
    ),
    **_group("{key} is not used: a stage trains and ends.", *_starting("gradio_", "lm_eval_"), "axolotl_config_path"),
    **_group("{key} is not used: the stage's gang is a PyTorchJob.", *_starting("use_ray", "ray_"),
             "resources_per_worker"),
}  # fmt: skip


@dataclass(frozen=True)
class Refusal:
    """A key that stops the stage, save with one of the `allowed` values, which say nothing and are left out."""

    sentence: str
    allowed: tuple[Any, ...] = (False,)


_WHOLE: Final = "{key} is {value}, but this stage trains whole models and merges no adapters: remove it."
_PREFERENCES: Final = (
    "{key} is {value}, but this stage trains on no preferences: remove it, or make a dpo stage of it for rl: dpo."
)
_REWARDS: Final = "{key} is {value}, but this stage trains a language model only: remove it."
_GONE: Final = "{key} is no longer supported by Axolotl: remove it."

REFUSED: Final[Mapping[str, Refusal]] = {
    **{key: Refusal(_WHOLE) for key in ("adapter", "relora", "load_in_8bit", "load_in_4bit", "gptq", "merge_lora")},
    "rl": Refusal(_PREFERENCES),
    **{key: Refusal(_REWARDS) for key in ("reward_model", "process_reward_model", "do_bench_eval")},
    **{key: Refusal(_GONE) for key in (
        "max_packed_sequence_len", "rope_scaling", "dpo_use_logits_to_keep", "dpo_generate_during_eval",
        "dpo_norm_loss", "rpo_alpha", "s2_attention", "flash_attn_rms_norm",
    )},
    "pretraining_dataset": Refusal("pretraining_dataset is for pretraining, which is spec.pretrain: give datasets."),
    "deepspeed": Refusal("deepspeed is not part of the stage's image: give fsdp_config to shard the model."),
    "deepcompile": Refusal("deepcompile needs deepspeed, which is not part of the stage's image: remove it."),
    "trust_remote_code": Refusal("trust_remote_code would run a model's own code, which a Llama has not: remove it."),
    "skip_prepare_dataset": Refusal("skip_prepare_dataset is true, but the data are prepared first: remove it."),
}  # fmt: skip

# Keys under an older name.
RENAMED: Final[Mapping[str, str]] = {
    "evaluation_strategy": "eval_strategy",
    "dpo_beta": "rl_beta",
    "overrides_of_model_config": "model_config",
    "dataset_processes": "dataset_num_proc",
    "noisy_embedding_alpha": "neftune_noise_alpha",
    "pretrain_multipack_buffer_size": "streaming_multipack_buffer_size",
    "gc_steps": "torch_empty_cache_steps",
}

# Attention: true in one of these keys is an attn_implementation of today.
ATTENTION_FLAGS: Final[Mapping[str, str]] = {
    "xformers_attention": "xformers",
    "sage_attention": "sage",
    "flex_attention": "flex_attention",
    "flash_attention": "flash_attention_2",
    "sdp_attention": "sdpa",
    "eager_attention": "eager",
}
ATTENTION_SHORT: Final[Mapping[str, str]] = {"flash": "flash_attention_2", "flex": "flex_attention", "sdp": "sdpa"}
ATTENTIONS: Final = (
    "eager", "sdpa", "flash_attention_2", "flash_attention_3", "flash_attention_4", "flash_attention_torch",
    "flex_attention", "xformers", "sage", "fp8",
)  # fmt: skip
ON_CPU: Final = ("eager", "sdpa")  # attentions that need no GPU

# What runs on CPU whatever is written, None where the key is left out.
CPU_VALUES: Final[Mapping[str, Any]] = {
    "bf16": False,
    "fp16": False,
    "tf32": False,
    "bfloat16": None,
    "float16": None,
    "fp8": None,
    "fp8_config": None,
    "fsdp": None,
    "fsdp_config": None,
    "fsdp_version": None,
    "fsdp_final_state_dict_type": None,
    "activation_offloading": None,
    "layer_offloading": None,
}
