"""The configuration of a Llama in nanotron's schema as transformers writes it."""

import json
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.errors import BadData

ROPE_THETA: Final = 10000.0  # fixed in nanotron 0.4, and written nowhere; the torch engine writes its own
_SAME: Final = (
    "bos_token_id", "eos_token_id", "hidden_act", "hidden_size", "initializer_range", "intermediate_size",
    "max_position_embeddings", "num_attention_heads", "num_hidden_layers", "num_key_value_heads", "pad_token_id",
    "rms_norm_eps", "tie_word_embeddings", "vocab_size",
)  # fmt: skip


def read_config(checkpoint: Path) -> dict[str, Any]:
    """A checkpoint's model_config.json; BadData when it is missing, unreadable or not a Llama's."""
    file = checkpoint / "model_config.json"
    try:
        config = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise BadData("CheckpointTorn", f"The checkpoint's {file} can't be read: {error}") from error
    missing = [name for name in _SAME if name not in config]
    if missing or config.get("rope_scaling"):
        what = f"lacks {', '.join(missing)}" if missing else "has a rope_scaling"
        raise BadData("CheckpointUnknown", f"{file} {what}, so it is not of a Llama that is trained here.")
    return dict(config)


def llama_config(config: dict[str, Any], dtype: str) -> Any:
    """transformers' LlamaConfig of a nanotron configuration, for weights of `dtype` ("bfloat16")."""
    from transformers import LlamaConfig

    return LlamaConfig(
        **{name: config[name] for name in _SAME},
        rope_parameters={"rope_type": "default", "rope_theta": float(config.get("rope_theta") or ROPE_THETA)},
        attention_bias=False,
        mlp_bias=False,
        use_cache=True,
        architectures=["LlamaForCausalLM"],
        dtype=dtype,
    )
