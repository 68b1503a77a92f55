"""The parts of nanotron's Llama that need a GPU, or are slow without one."""

import importlib
from typing import Any

import torch


def adapt() -> None:
    """Leave out the rotary table that only nanotron's own generation reads; attend in float32."""
    llama: Any = importlib.import_module("nanotron.models.llama")
    llama.RotaryEmbedding.init_rotary_embeddings = lambda self: None
    attention = llama.flash_attn_varlen_func

    def in_float32(q: Any, k: Any, v: Any, **options: Any) -> Any:
        # On a CPU attention in bfloat16 takes about twice as long, and most of that in its backward pass.
        return attention(q.to(torch.float32), k.to(torch.float32), v.to(torch.float32), **options).to(q.dtype)

    llama.flash_attn_varlen_func = in_float32
