"""What becomes of the model's keys of a nanotron configuration: nanotron 0.4 trains dense Llamas."""

from typing import Final

from trainingrun.api.key_kinds import FLAG, TEXT, number, one_of, whole
from trainingrun.api.key_table import Key

_CONFIG: Final = "model.model_config."
_ONLY_LLAMA: Final = "model.model_config.{name} asks for another architecture, but Llamas are trained here: "

_ACTIVATIONS: Final = one_of(
    "silu", "swish", "gelu", "gelu_10", "gelu_fast", "gelu_new", "gelu_python", "gelu_pytorch_tanh", "gelu_accurate",
    "laplace", "linear", "mish", "quick_gelu", "relu", "relu2", "relu6", "sigmoid", "tanh",
)  # fmt: skip


def _only(name: str, *allowed: object, reason: str) -> Key:
    """A key of main's model that 0.4 lacks: refused unless it has the value that 0.4's code stands for."""
    return Key(_CONFIG + name, fate="refused", sentence=f"{_CONFIG}{name} is {{value}}, but {reason}", quiet=allowed)


_NEW_IN_MAIN: Final = (
    Key(
        _CONFIG + "rope_theta", number(above=0.0), "refused", quiet=(10000.0,),
        sentence="model.model_config.rope_theta is {value}, but nanotron 0.4 always uses 10000: set it to 10000, or "
        "name torch as spec.pretrain.engine.",
    ),
    Key(
        _CONFIG + "rope_interleaved", FLAG, "ignored", quiet=(True,), severity="translated",
        sentence="model.model_config.rope_interleaved false runs interleaved, as nanotron 0.4 always does: the model "
        "is the same up to the order of its weights, which the convert stage restores.",
    ),
    _only("rope_scaling", reason="nanotron 0.4 ignores it without a word: remove it."),
    _only("attention_bias", False, reason="nanotron 0.4's attention has no bias: set it to false."),
    _only("z_loss_enabled", False, reason="nanotron 0.4 has no z-loss: set it to false."),
    Key(
        _CONFIG + "z_loss_coefficient", number(), "ignored",
        sentence="model.model_config.z_loss_coefficient is not used: nanotron 0.4 has no z-loss.",
    ),
    Key(
        _CONFIG + "_attn_implementation", TEXT, "ignored", quiet=("flash_attention_2",),
        sentence="model.model_config._attn_implementation {value} is not used: nanotron 0.4 has one attention, "
        "which gives the same result.",
    ),
    _only("flex_attention_mask", reason="nanotron 0.4 has causal attention only: remove it."),
    _only("sliding_window_size", reason="nanotron 0.4 has full causal attention only: remove it."),
    _only("no_rope_layer", reason="nanotron 0.4 has rotary embeddings in all layers: remove it."),
    _only("moe_config", reason="nanotron 0.4's Llama is dense: remove it."),
    _only("_use_doc_masking", False, reason="nanotron 0.4 attends across documents: set it to false, or name torch as "
          "spec.pretrain.engine."),
    *(Key(f"{_CONFIG}{name}", FLAG, "ignored", quiet=(False,),
          sentence=f"{_CONFIG}{name} is not used: nanotron 0.4 has no such choice, which changes no result.")
      for name in ("_fused_rotary_emb", "_fused_rms_norm", "_use_qkv_packed")),
    *(Key(f"{_CONFIG}{name}", FLAG, "refused", quiet=(False,),
          sentence=_ONLY_LLAMA.replace("{name}", name) + "set is_llama_config: true.")
      for name in ("is_qwen2_config", "is_starcoder2_config")),
)  # fmt: skip

MODEL_KEYS: Final = (
    Key("model.ddp_bucket_cap_mb", whole(1)),
    Key("model.dtype", one_of("bfloat16", "float16", "float32")),
    Key("model.init_method.std", number(above=0.0), example=0.025),
    Key(
        "model.init_method.path", TEXT, "refused",
        "model.init_method.path starts from other weights, but a run starts from none: give model.init_method.std.",
    ),
    Key(
        "model.init_method.scaling_method", TEXT, "refused", quiet=("NUM_LAYERS",),
        sentence="model.init_method.scaling_method is {value}, but nanotron 0.4 always scales by the number of layers: "
        "set it to NUM_LAYERS or remove it.",
    ),
    Key(
        "model.init_method.use_mup", FLAG, "refused", quiet=(False,),
        sentence="model.init_method.use_mup is {value}, but nanotron 0.4 has no spectral mup: give init_method.std.",
    ),
    Key("model.make_vocab_size_divisible_by", whole(1)),
    Key(_CONFIG + "bos_token_id", whole(0)),
    Key(_CONFIG + "eos_token_id", whole(0)),
    Key(_CONFIG + "pad_token_id", whole(0)),
    Key(_CONFIG + "hidden_act", _ACTIVATIONS),
    Key(_CONFIG + "hidden_size", whole(1), example=960),
    Key(_CONFIG + "initializer_range", number(minimum=0.0)),
    Key(_CONFIG + "intermediate_size", whole(1), example=2560),
    Key(
        _CONFIG + "is_llama_config", FLAG, "refused", quiet=(True,),
        sentence=_ONLY_LLAMA.replace("{name}", "is_llama_config") + "set it to true.",
    ),
    Key(_CONFIG + "max_position_embeddings", whole(2)),
    Key(_CONFIG + "num_attention_heads", whole(1), example=15),
    Key(_CONFIG + "num_hidden_layers", whole(1), example=32),
    Key(_CONFIG + "num_key_value_heads", whole(1)),
    Key(_CONFIG + "pretraining_tp", whole(1)),
    Key(_CONFIG + "rms_norm_eps", number(above=0.0)),
    Key(_CONFIG + "tie_word_embeddings", FLAG),
    Key(_CONFIG + "use_cache", FLAG),
    Key(_CONFIG + "vocab_size", whole(-1), example=128256),
    *_NEW_IN_MAIN,
)  # fmt: skip
