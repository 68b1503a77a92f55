"""Attention within documents: in a window of several, each sees itself alone, and its positions start at 0."""

import functools
from typing import Any

import torch
import torch.nn.functional as functional


def starts(ids: Any, end_of_text: int) -> Any:
    """[batch, length] of ids to where the document of each begins in its row; an end of text belongs to what it ends.

    A row's first token begins a document, whatever came before the window.
    """
    places = torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
    begins = functional.pad((ids == end_of_text)[:, :-1], (1, 0))
    return torch.where(begins, places, 0).cummax(1).values


def positions(begun: Any) -> Any:
    """The position of each token in its own document, [batch, 1, length], so that it fits all heads."""
    return (torch.arange(begun.shape[1], device=begun.device) - begun)[:, None]


def seen(begun: Any) -> Any:
    """What each token sees, for `attention`: a boolean [batch, 1, length, length] on CPU, a block mask on GPUs.

    A block mask leaves out whole blocks of a long window, and never holds all pairs
    (`torch.nn.attention.flex_attention`).
    """
    if begun.device.type == "cpu":
        places = torch.arange(begun.shape[1])
        causal = places[:, None] >= places
        return (causal & (begun[:, :, None] == begun[:, None, :]))[:, None]

    from torch.nn.attention.flex_attention import create_block_mask

    def pairs(batch: Any, head: Any, query: Any, key: Any) -> Any:
        del head
        return (query >= key) & (begun[batch, query] == begun[batch, key])

    return create_block_mask(pairs, len(begun), None, begun.shape[1], begun.shape[1], device=begun.device)


def attention(query: Any, key: Any, value: Any, visible: Any) -> Any:
    """Attention of [batch, heads, length, width] over what `seen` yields; over all that came before where it is None.

    There may be fewer heads of keys and values than of queries.
    """
    grouped = query.shape[1] != key.shape[1]
    if visible is None or isinstance(visible, torch.Tensor):
        return functional.scaled_dot_product_attention(
            query, key, value, attn_mask=visible, is_causal=visible is None, enable_gqa=grouped
        )
    return _flex()(query, key, value, block_mask=visible, enable_gqa=grouped)


@functools.cache
def _flex() -> Any:
    from torch.nn.attention.flex_attention import flex_attention

    # Compiled by itself too, since uncompiled it holds all pairs; within a compiled layer this changes nothing.
    return torch.compile(flex_attention)
