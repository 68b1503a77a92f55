"""A published Axolotl configuration as one that Axolotl 0.19.0 runs in a stage, with all that is to be said about it.

`translate` takes the mapping as a user pasted it. Older spellings are translated, keys that the run owns are left out,
unknown ones are refused (Axolotl would drop them without a word), and what needs a GPU is replaced where there is
none. Pure, and remembered for equal inputs.
"""

import copy
import dataclasses
import functools
import json
from collections.abc import Iterator
from typing import Any, Final

from trainingrun.api import axolotl_preferences as preferences
from trainingrun.api import axolotl_texts as texts
from trainingrun.api.axolotl_datasets import datasets
from trainingrun.api.axolotl_fsdp import sharding
from trainingrun.api.axolotl_keys import (
    ATTENTION_FLAGS,
    ATTENTION_SHORT,
    ATTENTIONS,
    CPU_VALUES,
    KNOWN,
    ON_CPU,
    OWNED,
    REFUSED,
    RENAMED,
)  # fmt: skip
from trainingrun.api.axolotl_lint import lint
from trainingrun.api.axolotl_types import AxolotlTranslation, SftContext
from trainingrun.api.axolotl_values import checked
from trainingrun.api.key_kinds import shown
from trainingrun.api.key_table import canonical, distinct
from trainingrun.api.notes import Note, error, ignored, translated

__all__ = ["AxolotlTranslation", "SftContext", "translate"]

_REMEMBERED: Final = 4096
_OWN_READERS: Final = ("datasets", "test_datasets", "fsdp", "fsdp_config", "fsdp_final_state_dict_type")


def translate(config: dict[str, Any], context: SftContext) -> AxolotlTranslation:
    """The configuration that runs and its notes; never raises, faults are notes of severity error."""
    try:
        text = canonical(config)
    except ValueError as fault:
        return AxolotlTranslation({}, (error("", str(fault)),))
    known = _translate(text, context)
    return dataclasses.replace(known, config=copy.deepcopy(known.config))


@functools.lru_cache(maxsize=_REMEMBERED)
def _translate(text: str, context: SftContext) -> AxolotlTranslation:
    raw = json.loads(text)
    if not isinstance(raw, dict):
        return AxolotlTranslation({}, (error("", f"The Axolotl configuration is {shown(raw)}, but takes keys."),))
    notes: list[Note] = []
    values = dict(raw)
    for step in (_owned, preferences.method, _refused, _renamed, _attention):
        notes.extend(step(values, context))
    if context.cpu:
        notes.extend(_on_cpu(values))
    values, said = _typed(values)
    notes.extend(said)
    notes.extend(_datasets(values, context))
    notes.extend(texts.context_length(values, context))
    notes.extend(_sharded(values, context))
    notes.extend(lint(values))
    notes.extend(_batch(values, context))
    values["auto_resume_from_checkpoints"] = True
    paths = tuple(item["path"] for item in values.get("datasets", ()) if isinstance(item.get("path"), str))
    length = values.get("sequence_len", 512)
    return AxolotlTranslation(values, tuple(distinct(notes)), _global_batch(values, context), length, paths)


def _owned(values: dict[str, Any], context: SftContext) -> Iterator[Note]:
    for key in [key for key in values if key in OWNED]:
        sentence = OWNED[key].replace("{key}", key).replace("{value}", shown(values.pop(key)))
        yield ignored(key, sentence.replace("{base}", context.base_model))


def _refused(values: dict[str, Any], context: SftContext) -> Iterator[Note]:
    wanted = ("rl",) if context.kind == preferences.KIND else ()
    for key in [key for key in values if key in REFUSED and key not in wanted]:
        value = values.pop(key)
        if value not in REFUSED[key].allowed:
            yield error(key, REFUSED[key].sentence.replace("{key}", key).replace("{value}", shown(value)))


def _renamed(values: dict[str, Any], _: SftContext) -> Iterator[Note]:
    for old, new in RENAMED.items():
        if old not in values:
            continue
        value = values.pop(old)
        if values.setdefault(new, value) == value:
            yield translated(old, f"{old} becomes {new}, its name of today.")
        else:
            yield error(old, f"{old} and {new} set the same value differently: keep {new}.")


def _attention(values: dict[str, Any], _: SftContext) -> Iterator[Note]:
    flags = [key for key in ATTENTION_FLAGS if values.pop(key, False)]
    given = values.get("attn_implementation")
    wanted = dict.fromkeys([*([given] if isinstance(given, str) else []), *(ATTENTION_FLAGS[key] for key in flags)])
    if len(wanted) > 1:
        names = " and ".join(flags if given is None else ["attn_implementation", *flags])
        yield error("attn_implementation", f"{names} ask for {', '.join(wanted)}: keep one of them.")
    elif flags and given is None:
        (values["attn_implementation"],) = wanted
        message = f"{flags[0]} becomes attn_implementation: {values['attn_implementation']}, its spelling of today."
        yield translated(flags[0], message)
    elif isinstance(given, str) and given in ATTENTION_SHORT:
        values["attn_implementation"] = ATTENTION_SHORT[given]
        message = f"attn_implementation {given} becomes {ATTENTION_SHORT[given]}, its full name."
        yield translated("attn_implementation", message)
    elif isinstance(given, str) and given not in ATTENTIONS and "/" not in given:
        message = f"attn_implementation {shown(given)} is none of {', '.join(ATTENTIONS)}: choose one of these."
        yield error("attn_implementation", message)


def _on_cpu(values: dict[str, Any]) -> Iterator[Note]:
    attention = values.get("attn_implementation")
    if attention not in ON_CPU:
        values["attn_implementation"] = "sdpa"
        if attention is not None:
            message = f"attn_implementation {shown(attention)} runs as sdpa: the stage has no GPU."
            yield translated("attn_implementation", message)
    for key, value in CPU_VALUES.items():
        given = values.pop(key, None)
        if value is not None:
            values[key] = value
        if given not in (None, value, False):
            runs = "is left out" if value is None else f"runs as {shown(value)}"
            yield translated(key, f"{key}{_short(given)} {runs}: the stage has no GPU.")
    optimizer = values.get("optimizer")
    if isinstance(optimizer, str) and any(word in optimizer for word in ("8bit", "4bit", "paged")):
        values["optimizer"] = "adamw_torch_fused"
        message = f"optimizer {shown(optimizer)} runs as adamw_torch_fused: the stage has no GPU."
        yield translated("optimizer", message)
    if values.get("gradient_checkpointing") in ("offload", "offload_disk"):
        values["gradient_checkpointing"] = True
        yield translated("gradient_checkpointing", "gradient_checkpointing runs as true: the stage has no GPU.")


def _short(value: Any) -> str:
    return "" if isinstance(value, dict | list) else f" {shown(value)}"


def _typed(values: dict[str, Any]) -> tuple[dict[str, Any], list[Note]]:
    """The values whose keys Axolotl knows and whose types are right; keys of plugins need a plugin."""
    own = {key: values[key] for key in _OWN_READERS if key in values}
    plugged = {key: value for key, value in values.items() if key in KNOWN["plugin"] and key not in KNOWN["top"]}
    others = {key: value for key, value in values.items() if key not in own and key not in plugged}
    typed, notes = checked("top", others)
    for key in plugged if not values.get("plugins") else ():
        notes.append(error(key, f"{key} is a key of an Axolotl plugin, but plugins is missing: list the plugin there."))
    if "special_tokens" in typed:
        typed["special_tokens"], wrong = checked("special_tokens", typed["special_tokens"], "special_tokens.")
        notes.extend(wrong)
    return typed | own | plugged, notes


def _datasets(values: dict[str, Any], context: SftContext) -> Iterator[Note]:
    for key in ("datasets", "test_datasets"):
        if key in values or key == "datasets":
            read = datasets(key, values.pop(key, None), context.kind)
            values[key] = read.items
            yield from read.notes


def _sharded(values: dict[str, Any], context: SftContext) -> Iterator[Note]:
    parts = [values.pop(key, None) for key in ("fsdp_config", "fsdp", "fsdp_final_state_dict_type")]
    version = values.pop("fsdp_version", None)
    if not any(parts):
        return
    result = sharding(*parts)
    yield from result.notes
    if context.processes == 1:
        yield translated("fsdp_config", "fsdp_config is left out: one process has nothing to share the model with.")
        return
    values["fsdp_version"] = 2
    values["fsdp_config"] = result.values
    if version != 2:
        yield translated("fsdp_version", "fsdp_version runs as 2: the first version is about to leave transformers.")


def _batch(values: dict[str, Any], context: SftContext) -> Iterator[Note]:
    if context.cpu and context.processes > 1:
        yield error(
            "",
            f"{context.name} has {context.nodes} nodes without GPUs, but Axolotl trains on CPU in one process: set "
            "nodes: 1.",
        )
    if "batch_size" in values and "gradient_accumulation_steps" not in values:
        micro = values.get("micro_batch_size") or 1
        values["gradient_accumulation_steps"] = max(values.pop("batch_size") // micro, 1)
        runs = values["gradient_accumulation_steps"]
        yield translated("batch_size", f"batch_size becomes gradient_accumulation_steps: {runs}, by micro_batch_size.")
    parts = _model_ranks(values)
    if context.processes % parts:
        yield error(
            "context_parallel_size",
            f"context_parallel_size · tensor_parallel_size = {parts} does not divide the {context.processes} processes "
            "of the stage: change one.",
        )
        return
    if "sequence_len" not in values and context.kind != texts.KIND:
        yield translated("sequence_len", "sequence_len is missing and runs as 512: longer conversations are dropped.")
    micro, steps = values.get("micro_batch_size", 1), values.get("gradient_accumulation_steps", 1)
    length = values.get("sequence_len", 512)
    total = _global_batch(values, context)
    yield translated(
        "micro_batch_size",
        f"A step trains on micro_batch_size {micro} · gradient_accumulation_steps {steps} · "
        f"{context.processes // parts} replica(s) = {total:,} sequences of up to {length:,} tokens.",
    )


def _model_ranks(values: dict[str, Any]) -> int:
    """Processes that share one sequence of the batch."""
    context_ranks = values.get("context_parallel_size") or values.get("sequence_parallel_degree") or 1
    ranks: int = max(context_ranks, 1) * max(values.get("tensor_parallel_size") or 1, 1)
    return ranks


def _global_batch(values: dict[str, Any], context: SftContext) -> int:
    replicas = context.processes // _model_ranks(values)
    batch: int = values.get("micro_batch_size", 1) * values.get("gradient_accumulation_steps", 1) * replicas
    return batch
