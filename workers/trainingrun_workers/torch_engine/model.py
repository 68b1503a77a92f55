"""A Llama as transformers names and computes it, without what generation needs.

Rotary embeddings turn pairs that are half a head apart, so that the weights are those of `LlamaForCausalLM` as they
are. Attention is torch's scaled_dot_product_attention; the loss never holds the logits of a whole batch.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import torch
import torch.nn.functional as functional
from torch import nn
from torch.utils.checkpoint import checkpoint


@dataclass(frozen=True)
class Shape:
    """What of a Llama's configuration says how it is built."""

    vocabulary: int
    hidden: int
    inner: int
    layers: int
    heads: int
    key_value_heads: int
    epsilon: float
    theta: float
    tied: bool

    @classmethod
    def of(cls, config: dict[str, Any]) -> Self:
        """The shape in nanotron's model_config."""
        return cls(
            vocabulary=config["vocab_size"], hidden=config["hidden_size"], inner=config["intermediate_size"],
            layers=config["num_hidden_layers"], heads=config["num_attention_heads"],
            key_value_heads=config.get("num_key_value_heads") or config["num_attention_heads"],
            epsilon=config["rms_norm_eps"], theta=float(config.get("rope_theta") or 10000.0),
            tied=config["tie_word_embeddings"],
        )  # fmt: skip

    @property
    def head_width(self) -> int:
        """Numbers of one head."""
        return self.hidden // self.heads


class Attention(nn.Module):  # type: ignore[misc]
    """Causal attention over the whole sequence, with fewer heads of keys and values where the shape says so."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.width = shape.head_width
        narrow = shape.key_value_heads * self.width
        self.q_proj = nn.Linear(shape.hidden, shape.hidden, bias=False)
        self.k_proj = nn.Linear(shape.hidden, narrow, bias=False)
        self.v_proj = nn.Linear(shape.hidden, narrow, bias=False)
        self.o_proj = nn.Linear(shape.hidden, shape.hidden, bias=False)

    def forward(self, x: Any, cosine: Any, sine: Any) -> Any:
        """[batch, length, hidden] to the same."""
        query, key, value = (
            part(x).unflatten(-1, (-1, self.width)).transpose(1, 2) for part in (self.q_proj, self.k_proj, self.v_proj)
        )
        out = functional.scaled_dot_product_attention(
            rotate(query, cosine, sine), rotate(key, cosine, sine), value, is_causal=True,
            enable_gqa=query.shape[1] != key.shape[1],
        )  # fmt: skip
        return self.o_proj(out.transpose(1, 2).flatten(-2))


class Mlp(nn.Module):  # type: ignore[misc]
    """The gated layer in between."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden, shape.inner, bias=False)
        self.up_proj = nn.Linear(shape.hidden, shape.inner, bias=False)
        self.down_proj = nn.Linear(shape.inner, shape.hidden, bias=False)

    def forward(self, x: Any) -> Any:
        """[…, hidden] to the same."""
        return self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):  # type: ignore[misc]
    """One layer: attention and MLP, each after a norm and added to what came in."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.input_layernorm = nn.RMSNorm(shape.hidden, eps=shape.epsilon)
        self.self_attn = Attention(shape)
        self.post_attention_layernorm = nn.RMSNorm(shape.hidden, eps=shape.epsilon)
        self.mlp = Mlp(shape)

    def forward(self, x: Any, cosine: Any, sine: Any) -> Any:
        """[batch, length, hidden] to the same."""
        x = x + self.self_attn(self.input_layernorm(x), cosine, sine)
        return x + self.mlp(self.post_attention_layernorm(x))


class Body(nn.Module):  # type: ignore[misc]
    """Embedding, layers, last norm: what transformers calls `model`."""

    def __init__(self, shape: Shape, recompute: bool) -> None:
        super().__init__()
        self.shape, self.recompute = shape, recompute
        self.embed_tokens = nn.Embedding(shape.vocabulary, shape.hidden)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.hidden, eps=shape.epsilon)

    def forward(self, ids: Any) -> Any:
        """[batch, length] of ids to [batch, length, hidden]."""
        x = self.embed_tokens(ids)
        cosine, sine = angles(self.shape, ids.shape[1], ids.device, x.dtype)
        for layer in self.layers:
            if self.recompute and self.training:
                x = checkpoint(layer, x, cosine, sine, use_reentrant=False)
            else:
                x = layer(x, cosine, sine)
        return self.norm(x)


class Llama(nn.Module):  # type: ignore[misc]
    """The whole model; called with ids and labels it yields the mean loss, without labels the logits."""

    def __init__(self, shape: Shape, recompute: bool = False) -> None:
        super().__init__()
        self.shape = shape
        self.model = Body(shape, recompute)
        self.lm_head = nn.Linear(shape.hidden, shape.vocabulary, bias=False)
        if shape.tied:
            self.lm_head.weight = self.model.embed_tokens.weight

    def forward(self, ids: Any, labels: Any = None) -> Any:
        """The mean cross entropy of [batch, length] of labels in float32, or [batch, length, vocabulary] of logits."""
        hidden = self.model(ids)
        if labels is None:
            return self.lm_head(hidden)
        return mean_loss(hidden.flatten(0, 1), self.lm_head, labels.flatten())


def mean_loss(hidden: Any, head: Any, labels: Any, rows: int = 4096) -> Any:
    """The mean cross entropy of [n, hidden] against [n] labels, some rows at a time.

    A piece's logits are made again for its gradient, so that no more than [rows, vocabulary] of them are held.
    """
    if len(labels) <= rows:
        return _summed(head, hidden, labels) / len(labels)
    pieces = zip(hidden.split(rows), labels.split(rows), strict=True)
    total = sum(checkpoint(_summed, head, one, wanted, use_reentrant=False) for one, wanted in pieces)
    return total / len(labels)


def _summed(head: Any, hidden: Any, labels: Any) -> Any:
    return functional.cross_entropy(head(hidden).float(), labels, reduction="sum")


def angles(shape: Shape, length: int, device: Any, dtype: Any) -> tuple[Any, Any]:
    """Cosines and sines of the rotary embedding, each [length, head_width], computed in float32."""
    powers = torch.arange(0, shape.head_width, 2, dtype=torch.float32, device=device) / shape.head_width
    turns = torch.outer(torch.arange(length, dtype=torch.float32, device=device), shape.theta**-powers)
    both = torch.cat((turns, turns), -1)
    return both.cos().to(dtype), both.sin().to(dtype)


def rotate(x: Any, cosine: Any, sine: Any) -> Any:
    """Queries or keys, [batch, heads, length, width], turned by their positions."""
    low, high = x.chunk(2, -1)
    return x * cosine.to(x.dtype) + torch.cat((-high, low), -1) * sine.to(x.dtype)


def initialise(model: Llama, std: float, seed: int) -> None:
    """Draw the weights as nanotron does: normal with `std`, projections back into the stream by √(2 · layers) less.

    From a generator of its own, on the CPU and in an order of names, so that they are the same for any number of ranks.
    """
    draw = torch.Generator().manual_seed(seed)
    less = std / math.sqrt(2 * model.shape.layers)
    with torch.no_grad():
        for name, weight in named(model):
            if name.endswith("norm.weight"):
                weight.fill_(1.0)
            else:
                back = name.endswith(("o_proj.weight", "down_proj.weight"))
                weight.copy_(torch.normal(0.0, less if back else std, weight.shape, generator=draw))


def named(model: Llama) -> Iterator[tuple[str, Any]]:
    """The weights by transformers' names, a tied head once."""
    return iter(sorted(model.named_parameters(), key=lambda one: one[0]))
