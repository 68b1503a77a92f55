"""A run's pretraining by the engine that somebody asks for: nanotron and torch by a word, one's own by a skeleton.

The skeleton is that of docs/engine-contract.md: sizes, when to save, and a configuration that only the engine reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from trainingrun.commands.init.config_file import value_at
from trainingrun.commands.init.notices import Notice, assumed, lost
from trainingrun.commands.init.settled import UnsettledError, context

ENGINES: Final = ("nanotron", "torch", "custom")
ENTRY: Final = "my-engine"  # of images.custom in the chart's values
CONFIG: Final = "spec.pretrain.config"
# What of a model's shape any engine asks for, by transformers' names.
SHAPE: Final = (
    "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
    "max_position_embeddings", "rms_norm_eps", "rope_theta", "tie_word_embeddings",
)  # fmt: skip


def named(pretrain: Mapping[str, Any], engine: str | None) -> dict[str, Any]:
    """spec.pretrain with the engine's name before all else, where somebody names one that reads the configuration."""
    return dict(pretrain) if engine in (None, "custom") else {"engine": engine, **pretrain}


def of_ones_own(name: str, spec: Mapping[str, Any]) -> tuple[dict[str, Any], list[Notice]]:
    """spec.pretrain for engine custom, out of that of a run that passes its check, and what is to be said about it."""
    pretrain, translated = spec["pretrain"], context(name, spec).translated.pretrain
    made = {
        "engine": "custom",
        **{key: value for key, value in pretrain.items() if key not in ("checkpoints", "config")},
        "checkpoints": {"every": translated.checkpoint_every, **pretrain.get("checkpoints", {})},
        "custom": {
            "image": ENTRY, "steps": translated.total_steps, "tokensPerStep": translated.tokens_per_step,
            "sequenceLength": translated.sequence_length, "vocabSize": translated.vocab_size, "seed": translated.seed,
        },
        "config": _config(translated.config),
    }  # fmt: skip
    wrong = [note for note in context(name, {**spec, "pretrain": made}).problems if note.severity == "error"]
    if wrong:
        raise UnsettledError("\n".join(f"{note.path}: {note.message}" for note in wrong))
    return made, [*_said(), *_stages(len(translated.data_stages))]


def without_config(notices: Sequence[Notice]) -> list[Notice]:
    """The notices but for those about keys of a configuration that is not written; contradictions are told still."""
    return [one for one in notices if one.kind == "contradiction" or not one.path.startswith(f"{CONFIG}.")]


def _config(nanotron: Mapping[str, Any]) -> dict[str, Any]:
    shape = nanotron["model"]["model_config"]
    model = {key: shape[key] for key in SHAPE if shape.get(key) is not None}
    rate = value_at(nanotron, "optimizer.learning_rate_scheduler.learning_rate")
    return {"model": model} | ({"learning_rate": rate} if rate is not None else {})


def _said() -> list[Notice]:
    return [
        assumed(
            f"An image that keeps docs/engine-contract.md is named {ENTRY}: set images.custom.{ENTRY} in the chart's "
            "values, or name another entry; its own command is run unless custom.command says another.",
            "spec.pretrain.custom.image",
        ),
        assumed(
            "config is read by your engine alone, and handed on as it is: write what it takes.", CONFIG,
        ),
    ]  # fmt: skip


def _stages(number: int) -> list[Notice]:
    if number < 2:
        return []
    message = f"The configuration's {number} data stages: engine custom is given one, with the weights of spec.data."
    return [lost(message, "spec.data")]
