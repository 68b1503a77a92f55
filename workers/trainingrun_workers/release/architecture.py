"""A model's shape as the card's table has it, from transformers' configuration."""

from typing import Any, Final

# transformers' names of what Llama and its relatives are made of, by the card's; a model without one has no such row.
ROWS: Final = {
    "layers": "num_hidden_layers",
    "hidden size": "hidden_size",
    "feed-forward size": "intermediate_size",
    "attention heads": "num_attention_heads",
    "key-value heads": "num_key_value_heads",
    "size of a head": "head_dim",
    "activation": "hidden_act",
    "context": "max_position_embeddings",
    "vocabulary": "vocab_size",
    "tied embeddings": "tie_word_embeddings",
}


def architecture(config: Any) -> dict[str, Any]:
    """Rows of the table: name and value, rope's base among them where the model has one."""
    found = {row: getattr(config, name, None) for row, name in ROWS.items()}
    rope = getattr(config, "rope_parameters", None) or {}
    found["base of the rotary embedding"] = rope.get("rope_theta", getattr(config, "rope_theta", None))
    return {row: value for row, value in found.items() if value is not None}
