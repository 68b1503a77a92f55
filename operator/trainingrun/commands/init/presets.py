"""Models to begin with: shapes that others have trained, and all else by rules that are written down here.

Shapes: 0.4b is the report's; 0.1b, 1b and 3b are those of SmolLM2-135M, Llama-3.2-1B and Llama-3.2-3B, as their
config.json has them. Positions turn with a base of 10000 in all, the only one that nanotron 0.4 has. What can be
computed from a shape is, in `figures`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from trainingrun.commands.init.gang_size import Part
from trainingrun.commands.init.notices import Notice, assumed


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer: where the hub has it, its number of ids, and the ids that begin and end a text."""

    repository: str
    size: int
    begin: int
    end: int


@dataclass(frozen=True)
class Source:
    """A data set on the hub, and how many tokens its publisher says it has, counted with GPT-2's tokenizer."""

    name: str
    address: str
    tokens: int


LLAMA: Final = Vocabulary("meta-llama/Llama-3.2-1B", 128_256, 128_000, 128_001)
SMOLLM: Final = Vocabulary("HuggingFaceTB/SmolLM2-135M", 49_152, 0, 0)
SAMPLE: Final = "hf://datasets/HuggingFaceFW/fineweb-edu/sample/"
SMALL: Final = Source("fineweb-edu", SAMPLE + "100BT", 100_000_000_000)
LARGE: Final = Source("fineweb-edu", SAMPLE + "350BT", 350_000_000_000)


@dataclass(frozen=True)
class Preset:
    """A model's shape, and how it is trained where nothing else is said."""

    name: str
    hidden: int
    layers: int
    heads: int
    key_value_heads: int
    intermediate: int
    vocabulary: Vocabulary
    source: Source
    sequence_length: int
    batch: int  # sequences a step
    micro_batch: int  # sequences a GPU at once, at most
    learning_rate: float
    nodes: int
    zero_stage: int


PRESETS: Final[Mapping[str, Preset]] = {
    one.name: one
    for one in (
        Preset("0.1b", 576, 30, 9, 3, 1536, SMOLLM, SMALL, 2048, 256, 8, 3e-3, 1, 0),
        Preset("0.4b", 960, 32, 15, 5, 2560, LLAMA, LARGE, 4096, 256, 4, 3e-3, 8, 0),
        Preset("1b", 2048, 16, 32, 8, 8192, LLAMA, LARGE, 4096, 256, 2, 5e-4, 8, 1),
        Preset("3b", 3072, 28, 24, 8, 8192, LLAMA, LARGE, 4096, 512, 1, 3e-4, 16, 1),
    )
}
EVALUATIONS: Final = 20  # about so many over a run, at a round number of steps
SAVES: Final = 10  # checkpoints between two evaluations


def preset(one: Preset, tokens: int, nodes: int, gpus: int) -> Part:
    """spec without its storage, of a preset on so many nodes with so many GPUs, for so many tokens."""
    world = nodes * max(gpus, 1)
    micro, accumulation = _batch(one, world)
    batch = micro * accumulation * world
    steps = math.ceil(tokens / (batch * one.sequence_length))
    every = _round(max(1, steps // EVALUATIONS))
    fields = {
        "tokenizer": {"path": f"models/{one.vocabulary.repository}"},
        "data": [{"name": one.source.name, "path": one.source.address}],
        "pretrain": {
            "nodes": nodes,
            "gpusPerNode": gpus,
            "checkpoints": {"keepLast": 3, "keepEvery": every},
            "config": _config(one, steps, max(1, every // SAVES), (micro, accumulation, world)),
        },
        "evaluate": {"checkpoints": {"every": every}, "taskSets": ["en"]},
        "release": {"languages": ["en"]},
    }
    return Part(fields, tuple(_notices(one, tokens, batch)))


def _batch(one: Preset, world: int) -> tuple[int, int]:
    """Sequences a GPU at once, and how often before a step, so that the batch is the preset's as nearly as can be."""
    for micro in range(one.micro_batch, 0, -1):
        if one.batch % (micro * world) == 0:
            return micro, one.batch // (micro * world)
    return 1, max(1, round(one.batch / world))


def _round(number: int) -> int:
    """The largest of 1, 2, 5, 10, 20 … up to a number."""
    scale = int("1" + "0" * (len(str(number)) - 1))
    return max(factor * scale for factor in (1, 2, 5) if factor * scale <= number)


def _config(one: Preset, steps: int, save_every: int, batch: tuple[int, int, int]) -> dict[str, Any]:
    micro, accumulation, world = batch
    decay = max(1, steps // 10)
    return {
        "checkpoints": {"checkpoint_interval": save_every},
        "general": {"project": "trainingrun", "seed": 42},
        "logging": {"iteration_step_info_interval": 10},
        "model": {
            "ddp_bucket_cap_mb": 100,
            "dtype": "bfloat16",
            "init_method": {"std": round(one.hidden**-0.5, 5)},
            "make_vocab_size_divisible_by": 1,
            "model_config": _shape(one),
        },
        "optimizer": {
            "accumulate_grad_in_fp32": True,
            "clip_grad": 1.0,
            "learning_rate_scheduler": {
                "learning_rate": one.learning_rate,
                "lr_decay_starting_step": steps - decay,
                "lr_decay_steps": decay,
                "lr_decay_style": "linear",
                "lr_warmup_steps": min(2000, max(1, steps // 100)),
                "lr_warmup_style": "linear",
                "min_decay_lr": 0.0,
            },
            "optimizer_factory": {
                "adam_beta1": 0.9, "adam_beta2": 0.95, "adam_eps": 1.0e-8, "name": "adamW", "torch_adam_is_fused": True,
            },
            "weight_decay": 0.1,
            "zero_stage": one.zero_stage,
        },
        "parallelism": {"dp": world, "pp": 1, "tp": 1},
        "tokens": {
            "batch_accumulation_per_replica": accumulation,
            "micro_batch_size": micro,
            "sequence_length": one.sequence_length,
            "train_steps": steps,
        },
    }  # fmt: skip


def _shape(one: Preset) -> dict[str, Any]:
    return {
        "bos_token_id": one.vocabulary.begin,
        "eos_token_id": one.vocabulary.end,
        "hidden_act": "silu",
        "hidden_size": one.hidden,
        "intermediate_size": one.intermediate,
        "is_llama_config": True,
        "max_position_embeddings": one.sequence_length,
        "num_attention_heads": one.heads,
        "num_hidden_layers": one.layers,
        "num_key_value_heads": one.key_value_heads,
        "rms_norm_eps": 1.0e-05,
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
        "vocab_size": one.vocabulary.size,
    }


def _notices(one: Preset, tokens: int, batch: int) -> list[Notice]:
    said = [
        assumed(
            f"The tokenizer is {one.vocabulary.repository} of the hub with {one.vocabulary.size:,} ids: put its files "
            f"into models/{one.vocabulary.repository} on the volume, or name another one and set vocab_size, "
            "bos_token_id and eos_token_id to match.",
            "spec.tokenizer.path",
        ),
        assumed(
            f"The text is {one.source.address}, English only: name your own sources, with their weights, or give "
            "secretName with an HF_TOKEN where the hub asks for one.",
            "spec.data",
        ),
        assumed(
            "micro_batch_size was chosen by the size of the model and tried on no GPU: halve it and double "
            "batch_accumulation_per_replica where memory runs out.",
            "spec.pretrain.config.tokens.micro_batch_size",
        ),
    ]
    if batch != one.batch:
        said.append(
            assumed(
                f"A step is {batch} sequences and not {one.batch}, since that is no multiple of the number of GPUs.",
                "spec.pretrain.config.tokens.batch_accumulation_per_replica",
            )
        )
    if tokens > one.source.tokens:
        said.append(
            assumed(
                f"{tokens:,} tokens are asked for, but {one.source.name} has {one.source.tokens:,}: it is read "
                f"{tokens / one.source.tokens:.1f} times; add sources.",
                "spec.data",
            )
        )
    return said
