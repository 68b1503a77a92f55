"""The one part of nanotron's Llama that asserts a GPU."""

import importlib


def adapt() -> None:
    """Leave out the rotary table that only nanotron's own generation reads."""
    llama = importlib.import_module("nanotron.models.llama")
    llama.RotaryEmbedding.init_rotary_embeddings = lambda self: None
