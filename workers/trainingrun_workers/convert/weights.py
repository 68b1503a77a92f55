"""A nanotron 0.4 Llama's weights under the names, and in the order of rows, of transformers' LlamaForCausalLM.

nanotron 0.4 rotates neighbouring pairs of a head's queries and keys (0, 1), (2, 3), …, transformers rotates pairs that
are half a head apart (0, d/2), (1, d/2 + 1), …: the rows of both projections are put into that order here.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from trainingrun_workers.convert.shards import read_tensor
from trainingrun_workers.errors import BadData

_DECODER: Final = "decoder/{layer}/pp_block"
# Parts of a layer that only change their names: nanotron's folder, and transformers' name.
_PLAIN: Final = {
    "input_layernorm": "input_layernorm",
    "post_attention_layernorm": "post_attention_layernorm",
    "attn/o_proj": "self_attn.o_proj",
    "mlp/down_proj": "mlp.down_proj",
}


@dataclass(frozen=True)
class Shape:
    """What of a Llama's configuration says how its weights lie."""

    layers: int
    heads: int
    key_value_heads: int
    head_width: int
    tied: bool

    @classmethod
    def of(cls, config: dict[str, Any]) -> Self:
        """The shape in a checkpoint's model_config.json."""
        heads = config["num_attention_heads"]
        return cls(
            layers=config["num_hidden_layers"],
            heads=heads,
            key_value_heads=config.get("num_key_value_heads") or heads,
            head_width=config["hidden_size"] // heads,
            tied=config["tie_word_embeddings"],
        )


def llama_weights(checkpoint: Path, shape: Shape) -> dict[str, Any]:
    """All weights of a checkpoint by transformers' names, in the type they were trained in; a tied head once."""
    root = checkpoint / "model" / "model"
    weights = {
        "model.embed_tokens.weight": read_tensor(root / "token_position_embeddings/pp_block/token_embedding"),
        "model.norm.weight": read_tensor(root / "final_layer_norm/pp_block"),
    }
    if not shape.tied:
        weights["lm_head.weight"] = read_tensor(root / "lm_head/pp_block")
    for layer in range(shape.layers):
        named = _layer(root / _DECODER.format(layer=layer), shape)
        weights |= {f"model.layers.{layer}.{name}.weight": tensor.contiguous() for name, tensor in named.items()}
    return weights


def _layer(folder: Path, shape: Shape) -> dict[str, Any]:
    rows = [count * shape.head_width for count in (shape.heads, shape.key_value_heads, shape.key_value_heads)]
    joint = read_tensor(folder / "attn/qkv_proj")
    if joint.shape[0] != sum(rows):
        raise BadData(
            "CheckpointTorn",
            f"{folder}/attn/qkv_proj has {joint.shape[0]} rows, but model_config.json asks for {sum(rows)}: the "
            "checkpoint is not of this model.",
        )
    query, key, value = joint.split(rows)
    gate, up = read_tensor(folder / "mlp/gate_up_proj").chunk(2)
    return {name: read_tensor(folder / source) for source, name in _PLAIN.items()} | {
        "self_attn.q_proj": halves(query, shape.head_width),
        "self_attn.k_proj": halves(key, shape.head_width),
        "self_attn.v_proj": value,
        "mlp.gate_proj": gate,
        "mlp.up_proj": up,
    }


def halves(rows: Any, head_width: int) -> Any:
    """The rows of a projection with each head's interleaved rotary pairs put half a head apart; [heads · width, n]."""
    return rows.view(-1, head_width // 2, 2, rows.shape[-1]).transpose(1, 2).reshape(rows.shape)
