"""A Llama as transformers names and computes it, without what generation needs.

Rotary embeddings turn pairs that are half a head apart, so that the weights are those of `LlamaForCausalLM` as they
are. Attention is torch's scaled_dot_product_attention; the loss never holds the logits of a whole batch.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Self

import torch
import torch.nn.functional as functional
from torch import nn
from torch.utils.checkpoint import checkpoint

from trainingrun_workers.torch_engine import documents

Summed = Callable[[Any, Any, Any], Any]  # head, [n, hidden] and [n] labels to the sum of their cross entropies
ROWS: Final = 4096  # of hidden states whose logits are held at once


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
    end_of_text: int | None = None  # the id after which attention and positions start anew; None: they never do

    @classmethod
    def of(cls, config: dict[str, Any]) -> Self:
        """The shape in nanotron's model_config."""
        return cls(
            vocabulary=config["vocab_size"], hidden=config["hidden_size"], inner=config["intermediate_size"],
            layers=config["num_hidden_layers"], heads=config["num_attention_heads"],
            key_value_heads=config.get("num_key_value_heads") or config["num_attention_heads"],
            epsilon=config["rms_norm_eps"], theta=float(config.get("rope_theta") or 10000.0),
            tied=config["tie_word_embeddings"],
            end_of_text=config["eos_token_id"] if config.get("_use_doc_masking") else None,
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

    def forward(self, x: Any, cosine: Any, sine: Any, seen: Any) -> Any:
        """[batch, length, hidden] to the same; `seen` is what `documents.seen` yields, None for all that came before.

        Where a rank has a part of the heads, their projections and what is made of them have that part of the width.
        """
        query, key, value = (
            part(x).unflatten(-1, (-1, self.width)).transpose(1, 2) for part in (self.q_proj, self.k_proj, self.v_proj)
        )
        out = documents.attention(rotate(query, cosine, sine), rotate(key, cosine, sine), value, seen)
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

    def forward(self, x: Any, cosine: Any, sine: Any, seen: Any) -> Any:
        """[batch, length, hidden] to the same."""
        x = x + self.self_attn(self.input_layernorm(x), cosine, sine, seen)
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
        seen = None
        if self.shape.end_of_text is not None:
            starts = documents.starts(ids, self.shape.end_of_text)
            positions = documents.positions(starts)
            cosine, sine, seen = cosine[positions], sine[positions], documents.seen(starts)
        for layer in self.layers:
            if self.recompute and self.training:
                x = checkpoint(layer, x, cosine, sine, seen, use_reentrant=False)
            else:
                x = layer(x, cosine, sine, seen)
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
        self.whole: Callable[[Any], Any] = _unchanged  # the last hidden states, of which a rank may have a part
        self.summed: Summed = summed

    def forward(self, ids: Any, labels: Any = None) -> Any:
        """The mean cross entropy of [batch, length] of labels in float32, or [batch, length, vocabulary] of logits."""
        hidden = self.model(ids)
        if labels is None:
            return self.lm_head(hidden)
        return mean_loss(self.whole(hidden).flatten(0, 1), self.lm_head, labels.flatten(), self.summed)


def mean_loss(hidden: Any, head: Any, labels: Any, part: Summed, rows: int = ROWS) -> Any:
    """The mean cross entropy of [n, hidden] against [n] labels, some rows at a time.

    A piece's logits are made again for its gradient, so that no more than [rows, vocabulary] of them are held.
    """
    if len(labels) <= rows:
        return part(head, hidden, labels) / len(labels)
    pieces = zip(hidden.split(rows), labels.split(rows), strict=True)
    total = sum(checkpoint(part, head, one, wanted, use_reentrant=False) for one, wanted in pieces)
    return total / len(labels)


def _unchanged(hidden: Any) -> Any:
    return hidden


def summed(head: Any, hidden: Any, labels: Any) -> Any:
    """The sum of [n, hidden]'s cross entropies against [n] labels, in float32."""
    return functional.cross_entropy(head(hidden).float(), labels, reduction="sum")


def angles(shape: Shape, length: int, device: Any, dtype: Any) -> tuple[Any, Any]:
    """Cosines and sines of the rotary embedding, each [length, head_width], computed in float32."""
    powers = torch.arange(0, shape.head_width, 2, dtype=torch.float32, device=device) / shape.head_width
    turns = torch.outer(torch.arange(length, dtype=torch.float32, device=device), shape.theta**-powers)
    both = torch.cat((turns, turns), -1)
    return both.cos().to(dtype), both.sin().to(dtype)


def rotate(x: Any, cosine: Any, sine: Any) -> Any:
    """Queries or keys, [batch, heads, length, width], turned by angles of the same or fewer dimensions."""
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
