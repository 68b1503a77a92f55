"""What nanotron's Llama takes from flash_attn, out of torch itself, for images where that package is not built.

Right on a GPU too, where scaled_dot_product_attention has a flash kernel of its own. Shapes are flash_attn's:
b batch, s sequence, h heads, d a head's width, t = b·s tokens.
"""

from typing import Any

import torch
from torch.nn import functional

from trainingrun_workers.nanotron_engine.stub_modules import stub

VERSION = "0"  # no release of flash_attn


def install() -> None:
    """Put the stand-ins where `import flash_attn` finds them."""
    stub("flash_attn", __version__=VERSION, flash_attn_varlen_func=attention)
    stub("flash_attn.bert_padding")
    stub("flash_attn.flash_attn_interface", flash_attn_varlen_func=attention)
    stub("flash_attn.layers")
    stub("flash_attn.layers.rotary", RotaryEmbedding=RotaryEmbedding)
    stub("flash_attn.modules")
    stub("flash_attn.modules.mha")
    stub("flash_attn.ops")
    stub("flash_attn.ops.triton")
    stub("flash_attn.ops.triton.layer_norm", layer_norm_fn=layer_norm)


def attention(
    q: Any,
    k: Any,
    v: Any,
    cu_seqlens_q: Any,
    cu_seqlens_k: Any,
    max_seqlen_q: int,
    max_seqlen_k: int,
    dropout_p: float = 0.0,
    softmax_scale: float | None = None,
    causal: bool = False,
    **_: Any,
) -> Any:
    """Attention of [t, h, d] queries over [t, h, d] keys and values; yields [t, h, d].

    Only for sequences of one length, as pretraining has them. That is seen from shapes, without asking the GPU.
    """
    batch = cu_seqlens_q.shape[0] - 1
    if batch * max_seqlen_q != q.shape[0] or batch * max_seqlen_k != k.shape[0]:
        raise NotImplementedError("Sequences of different lengths need the package flash_attn itself.")
    query, key, value = (one.view(batch, -1, *one.shape[1:]).transpose(1, 2) for one in (q, k, v))
    out = functional.scaled_dot_product_attention(
        query, key, value, dropout_p=dropout_p, is_causal=causal, scale=softmax_scale,
        enable_gqa=query.shape[1] != key.shape[1],
    )  # fmt: skip
    return out.transpose(1, 2).reshape(q.shape)


class RotaryEmbedding(torch.nn.Module):  # type: ignore[misc]
    """Rotary position embedding (Su and others, 2021), of interleaved pairs or of halves."""

    def __init__(self, dim: int, base: float = 10000.0, interleaved: bool = False, **_: Any) -> None:
        super().__init__()
        self._dim = dim
        self._base = float(base)
        self._interleaved = interleaved
        self._angles: tuple[int, Any, Any] | None = None

    def forward(self, q: Any, kv: Any = None, seqlen_offset: int = 0, max_seqlen: int | None = None) -> tuple[Any, Any]:
        """Rotate [b, s, h, d] queries and the keys of [b, s, 2, h, d] keys and values."""
        cosine, sine = self._table(q.shape[1], q.device)
        rotated = self._rotate(kv[:, :, 0], cosine, sine)
        return self._rotate(q, cosine, sine), torch.stack((rotated, kv[:, :, 1]), dim=2)

    def _table(self, length: int, device: Any) -> tuple[Any, Any]:
        if self._angles is None or self._angles[0] != length:
            exponents = torch.arange(0, self._dim, 2, dtype=torch.float32, device=device) / self._dim
            positions = torch.arange(length, dtype=torch.float32, device=device)
            angles = torch.outer(positions, self._base**-exponents)[None, :, None]
            self._angles = (length, angles.cos(), angles.sin())
        return self._angles[1], self._angles[2]

    def _rotate(self, x: Any, cosine: Any, sine: Any) -> Any:
        wide = x.float()
        one, other = (wide[..., ::2], wide[..., 1::2]) if self._interleaved else wide.chunk(2, dim=-1)
        turned = (one * cosine - other * sine, other * cosine + one * sine)
        out = torch.stack(turned, dim=-1).flatten(-2) if self._interleaved else torch.cat(turned, dim=-1)
        return out.to(x.dtype)


def layer_norm(
    x: Any,
    weight: Any,
    bias: Any,
    residual: Any = None,
    eps: float = 1e-6,
    is_rms_norm: bool = False,
    **options: Any,
) -> Any:
    """Layer norm or RMS norm over the last dimension, computed in float32; yields x's type."""
    if residual is not None or any(options.values()):
        raise NotImplementedError("Fused residuals and dropout need the package flash_attn itself.")
    shape, wide = (x.shape[-1],), x.float()
    if is_rms_norm:
        return functional.rms_norm(wide, shape, weight.float(), eps).to(x.dtype)
    return functional.layer_norm(wide, shape, weight.float(), None if bias is None else bias.float(), eps).to(x.dtype)
