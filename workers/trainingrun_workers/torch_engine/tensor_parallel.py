"""The model cut over the ranks of one node: each has a part of the heads, of the inner width and of the vocabulary.

Between the products each rank holds a part of the sequence, so that norms and sums are not done by all (sequence
parallelism). Source of the plan's parts: `torch.distributed.tensor.parallel`.
"""

from typing import Any

import torch
import torch.nn.functional as functional
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    PrepareModuleInput,
    RowwiseParallel,
    SequenceParallel,
    parallelize_module,
)

from trainingrun_workers.torch_engine.model import Llama


def cut(llama: Llama, mesh: Any) -> None:
    """Leave each rank of a mesh of one dimension its part of the weights, which are the same on all of them before."""
    whole, part = Replicate(), Shard(1)
    plan = {
        "model.embed_tokens": RowwiseParallel(input_layouts=whole, output_layouts=part),
        "model.norm": SequenceParallel(),
        "lm_head": ColwiseParallel(input_layouts=part, output_layouts=whole),
        "model.layers.*.input_layernorm": SequenceParallel(),
        "model.layers.*.post_attention_layernorm": SequenceParallel(),
        "model.layers.*.self_attn": PrepareModuleInput(
            input_layouts=(part, None, None, None), desired_input_layouts=(whole, None, None, None)
        ),
        "model.layers.*.mlp": PrepareModuleInput(input_layouts=(part,), desired_input_layouts=(whole,)),
        **{f"model.layers.*.self_attn.{name}_proj": ColwiseParallel() for name in ("q", "k", "v")},
        **{f"model.layers.*.mlp.{name}_proj": ColwiseParallel() for name in ("gate", "up")},
        "model.layers.*.self_attn.o_proj": RowwiseParallel(output_layouts=part),
        "model.layers.*.mlp.down_proj": RowwiseParallel(output_layouts=part),
    }
    parallelize_module(llama, mesh, plan, src_data_rank=None)
    if llama.shape.tied:
        llama.lm_head.weight = llama.model.embed_tokens.weight
    llama.whole, llama.summed = whole_hidden, summed


def whole_hidden(hidden: Any) -> Any:
    """The last hidden states of the whole sequence, of which each rank makes its own part of the logits."""
    return hidden.redistribute(placements=(Replicate(),)).to_local(grad_placements=(Partial(),))


def summed(head: Any, hidden: Any, labels: Any) -> Any:
    """The sum of [n, hidden]'s cross entropies against [n] labels, where each rank has a part of the vocabulary.

    No rank holds the others' logits: what is exchanged is a number or two of each row.
    """
    weight = head.weight
    mesh = weight.device_mesh
    logits = functional.linear(hidden, weight.to_local()).float()
    sums = DTensor.from_local(logits.logsumexp(-1, keepdim=True), mesh, (Shard(1),), run_check=False)
    own = labels - mesh.get_local_rank() * logits.shape[-1]
    here = (own >= 0) & (own < logits.shape[-1])
    wanted = logits.gather(-1, torch.where(here, own, 0)[:, None])[:, 0] * here
    reached = DTensor.from_local(wanted.sum(), mesh, (Partial(),), run_check=False)
    return sums.full_tensor().logsumexp(-1).sum() - reached.full_tensor()
