"""Sizes that follow from a nanotron configuration: vocabulary with padding, parameters, tokens."""

import math
from collections.abc import Mapping
from typing import Any

_CONFIG = "model.model_config."


def padded_vocabulary(vocab_size: int, tp: int, divisible_by: int) -> int:
    """Rows of the embedding: nanotron pads the vocabulary to a multiple of tp · make_vocab_size_divisible_by."""
    multiple = tp * divisible_by
    return math.ceil(vocab_size / multiple) * multiple


def parameters(values: Mapping[str, Any]) -> int:
    """Parameters of the Llama that a complete configuration (by dotted path) describes."""
    hidden = values[_CONFIG + "hidden_size"]
    heads = values[_CONFIG + "num_attention_heads"]
    key_value = hidden // heads * values[_CONFIG + "num_key_value_heads"]
    attention = 2 * hidden * hidden + 2 * hidden * key_value
    layer = attention + 3 * hidden * values[_CONFIG + "intermediate_size"] + 2 * hidden
    vocabulary = padded_vocabulary(
        values[_CONFIG + "vocab_size"], values["parallelism.tp"], values["model.make_vocab_size_divisible_by"]
    )
    embeddings = 1 if values[_CONFIG + "tie_word_embeddings"] else 2
    total: int = values[_CONFIG + "num_hidden_layers"] * layer + embeddings * vocabulary * hidden + hidden
    return total


def token_bytes(vocab_size: int) -> int:
    """Bytes of a token in the token files: 2 below 65,536 ids, else 4."""
    return 2 if vocab_size < 65_536 else 4


def flops_per_token(values: Mapping[str, Any], sequence_length: int) -> int:
    """Floating-point operations that training takes a token: 6 a weight, and attention over the whole sequence.

    As nanotron 0.4 counts them (get_flops of nanotron.models.llama), by which its log tells model_tflops_per_gpu: the
    embedding at the output counts, the one at the input doesn't, and attention counts in full though half is masked.
    """
    hidden, layers = values[_CONFIG + "hidden_size"], values[_CONFIG + "num_hidden_layers"]
    vocabulary = padded_vocabulary(
        values[_CONFIG + "vocab_size"], values["parallelism.tp"], values["model.make_vocab_size_divisible_by"]
    )
    looked_up = 0 if values[_CONFIG + "tie_word_embeddings"] else vocabulary * hidden
    flops: int = 6 * (parameters(values) - looked_up) + 12 * layers * hidden * sequence_length
    return flops
