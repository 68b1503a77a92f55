"""A published nanotron configuration as one that nanotron 0.4 runs, with everything that is to be said about it.

`translate` takes the mapping as a user pasted it: the schema of nanotron's main branch or that of 0.4. Each key is
honoured, translated, or refused with a sentence (tables in `nanotron_keys`), what contradicts itself is said
(`nanotron_lint`), and the data stages become mixes of the run's own sources (`nanotron_data`). Pure, and remembered
for equal inputs.
"""

import copy
import dataclasses
import functools
import json
from collections.abc import Iterator
from typing import Any, Final

from trainingrun.api import gpu_memory
from trainingrun.api.key_kinds import shown
from trainingrun.api.key_table import Reading, canonical, distinct, nest
from trainingrun.api.nanotron_data import Stages, read_stages
from trainingrun.api.nanotron_lint import lint
from trainingrun.api.nanotron_size import parameters, token_bytes
from trainingrun.api.nanotron_types import DataStageRequest, NanotronTranslation, PretrainContext
from trainingrun.api.notes import Note, error, errors, translated, warning
from trainingrun.api.torch_keys import TABLES

__all__ = ["DataStageRequest", "NanotronTranslation", "PretrainContext", "translate"]

_CONFIG: Final = "model.model_config."
_SCHEDULE: Final = "optimizer.learning_rate_scheduler."
_INTERVAL: Final = "checkpoints.checkpoint_interval"
_ACCUMULATION: Final = "tokens.batch_accumulation_per_replica"
_REMEMBERED: Final = 4096  # translations; the operator asks for each run's at every pass

# What nanotron 0.4's dataclasses take where a key is left out, written out so that what runs can be printed whole.
_DEFAULTS: Final[dict[str, Any]] = {
    "general.seed": 42,
    "general.ignore_sanity_checks": True,
    "logging.log_level": "info",
    "logging.log_level_replica": "info",
    "logging.iteration_step_info_interval": 1,
    "tokens.batch_accumulation_per_replica": 1,
    "optimizer.clip_grad": None,
    _SCHEDULE + "lr_warmup_steps": 0,
    _SCHEDULE + "lr_warmup_style": "linear",
    _SCHEDULE + "lr_decay_style": "linear",
    "parallelism.pp_engine": "afab",
    "parallelism.tp_mode": "ALL_REDUCE",
    "parallelism.tp_linear_async_communication": False,
    "model.dtype": "bfloat16",
    "model.make_vocab_size_divisible_by": 1,
    "model.ddp_bucket_cap_mb": 25,
    _CONFIG + "bos_token_id": 1,
    _CONFIG + "eos_token_id": 2,
    _CONFIG + "pad_token_id": None,
    _CONFIG + "hidden_act": "silu",
    _CONFIG + "initializer_range": 0.02,
    _CONFIG + "pretraining_tp": 1,
    _CONFIG + "rms_norm_eps": 1e-6,
    _CONFIG + "rope_scaling": None,
    _CONFIG + "tie_word_embeddings": False,
    _CONFIG + "use_cache": True,
}

# What is the same for every run; the worker puts its own folder in the place of "checkpoints".
_FIXED: Final[dict[str, Any]] = {
    "general.step": None,
    "general.consumed_train_samples": None,
    "checkpoints.checkpoints_path": "checkpoints",
    "checkpoints.checkpoints_path_is_shared_file_system": True,
    "checkpoints.resume_checkpoint_path": None,
    "checkpoints.save_initial_state": False,
    "data.dataset": None,
    "data.num_loading_workers": 0,
    "parallelism.expert_parallel_size": 1,
    _CONFIG + "is_llama_config": True,
}


def translate(config: dict[str, Any], context: PretrainContext) -> NanotronTranslation:
    """The configuration that runs, its sizes and its notes; never raises, faults are notes of severity error."""
    try:
        text = canonical(config)
    except ValueError as fault:
        return NanotronTranslation({}, (error("", str(fault)),))
    known = _translate(text, context)
    return dataclasses.replace(known, config=copy.deepcopy(known.config))


@functools.lru_cache(maxsize=_REMEMBERED)
def _translate(text: str, context: PretrainContext) -> NanotronTranslation:
    raw = json.loads(text)
    if not isinstance(raw, dict):
        return NanotronTranslation({}, (error("", f"The nanotron configuration is {shown(raw)}, but takes sections."),))
    reading = TABLES[context.engine].read(raw)
    values = reading.values
    notes = [*reading.notes, *_complete(reading, context)]
    raw_stages = values.pop("data_stages", None)
    seed = values.get("data.seed", values["general.seed"])
    stages = read_stages(raw_stages, context, seed, values.get("tokens.train_steps"))
    notes.extend(stages.notes)
    notes.extend(lint(values, context))
    notes.extend(gpu_memory.lint(values, context))
    notes.extend(_single_tensor_rank(values))
    return _result(values, stages, tuple(distinct(notes)), context)


def _complete(reading: Reading, context: PretrainContext) -> Iterator[Note]:
    """Writes out what was left out, and says so where it matters. Values of a wrong kind stay away."""
    values = reading.values
    yield from _checkpoint_interval(reading, context)
    yield from _accumulation(reading)
    yield from _schedule(reading)
    yield from _documents(reading)
    if values.get(_CONFIG + "vocab_size") == -1 and context.vocab_size is not None:
        values[_CONFIG + "vocab_size"] = context.vocab_size
        path = _CONFIG + "vocab_size"
        yield translated(path, f"{path} -1 runs as {context.vocab_size}, the tokenizer's number of ids.")
    defaults = {
        **_DEFAULTS,
        "general.project": context.run_name,
        _CONFIG + "max_position_embeddings": values.get("tokens.sequence_length"),
        _CONFIG + "num_key_value_heads": values.get(_CONFIG + "num_attention_heads"),
    }
    optional = {path for path, value in _DEFAULTS.items() if value is None}
    for path, value in defaults.items():
        if path not in reading.wrong and (value is not None or path in optional):
            values.setdefault(path, value)
    values.setdefault("general.seed", 42)


def _checkpoint_interval(reading: Reading, context: PretrainContext) -> Iterator[Note]:
    given = reading.values.get(_INTERVAL)
    every = context.checkpoint_every
    if every is not None:
        reading.values[_INTERVAL] = every
        if given not in (None, every):
            yield translated(
                _INTERVAL, f"{_INTERVAL} {given} runs as {every}: spec.pretrain.checkpoints.every goes before it."
            )
    elif given is None and _INTERVAL not in reading.wrong:
        yield error(
            _INTERVAL, f"{_INTERVAL} is missing: add it, for example 1000, or set spec.pretrain.checkpoints.every."
        )


def _accumulation(reading: Reading) -> Iterator[Note]:
    values = reading.values
    needed = ("tokens.micro_batch_size", "parallelism.dp", "tokens.sequence_length")
    if _ACCUMULATION in values or _ACCUMULATION in reading.wrong or not all(path in values for path in needed):
        return
    micro, dp, length = (values[path] for path in needed)
    yield warning(
        _ACCUMULATION,
        f"{_ACCUMULATION} is missing and runs as 1, so that a step is micro_batch_size {micro} · 1 · dp {dp} = "
        f"{micro * dp:,} sequences of {length:,} = {micro * dp * length:,} tokens: write it down if that is meant.",
    )


def _schedule(reading: Reading) -> Iterator[Note]:
    """0.4 takes the decay's length from the warm-up even where its start is given, which runs past the end."""
    values, wrong = reading.values, reading.wrong
    start, length, floor = (_SCHEDULE + name for name in ("lr_decay_starting_step", "lr_decay_steps", "min_decay_lr"))
    if start not in wrong:
        values.setdefault(start, values.get(_SCHEDULE + "lr_warmup_steps", 0))
    if length not in wrong | values.keys() and start in values and "tokens.train_steps" in values:
        values[length] = max(values["tokens.train_steps"] - values[start], 0)
        yield translated(
            length, f"{length} is left out and runs as {values[length]:,}: from step {values[start]:,} to the last one."
        )
    peak = values.get(_SCHEDULE + "learning_rate")
    if floor not in wrong | values.keys() and peak is not None:
        values[floor] = peak
        yield warning(
            floor, f"{floor} is missing, so the learning rate stays at {peak:g} for good: add it, for example 0."
        )


def _documents(reading: Reading) -> Iterator[Note]:
    path = _CONFIG + "eos_token_id"
    if reading.values.get(_CONFIG + "_use_doc_masking") and path not in reading.values.keys() | reading.wrong:
        yield error(
            path,
            f"{path} is missing, after which a document ends where {_CONFIG}_use_doc_masking is true: give the id that "
            "the tokenizer puts after each text.",
        )


def _single_tensor_rank(values: dict[str, Any]) -> Iterator[Note]:
    """With tp 1 nothing is communicated; 0.4 would all the same demand an environment variable for it."""
    if values.get("parallelism.tp") != 1:
        return
    given = (values.get("parallelism.tp_mode"), values.get("parallelism.tp_linear_async_communication"))
    values["parallelism.tp_mode"], values["parallelism.tp_linear_async_communication"] = "ALL_REDUCE", False
    if given not in (("ALL_REDUCE", False), (None, None)):
        yield translated(
            "parallelism.tp_mode",
            "parallelism.tp_mode and tp_linear_async_communication run as ALL_REDUCE and false: with tp 1 there is "
            "nothing to communicate, so the result is the same.",
        )


def _result(
    values: dict[str, Any], stages: Stages, notes: tuple[Note, ...], context: PretrainContext
) -> NanotronTranslation:
    data = {"data.seed": values["general.seed"]}
    names = {"general.run": context.run_name, "tokenizer.tokenizer_name_or_path": context.tokenizer}
    config = nest({**data, **values, **_FIXED, **names})
    if errors(notes):
        return NanotronTranslation(config, notes, stages.stages)
    length = values["tokens.sequence_length"]
    values[_CONFIG + "max_position_embeddings"] = config["model"]["model_config"]["max_position_embeddings"] = length
    batch = values["tokens.micro_batch_size"] * values[_ACCUMULATION] * values["parallelism.dp"]
    return NanotronTranslation(
        config=config,
        notes=notes,
        data_stages=stages.stages,
        total_steps=values["tokens.train_steps"],
        tokens_per_step=batch * length,
        sequence_length=length,
        vocab_size=values[_CONFIG + "vocab_size"],
        token_bytes=token_bytes(values[_CONFIG + "vocab_size"]),
        checkpoint_every=values[_INTERVAL],
        dp=values["parallelism.dp"],
        tp=values["parallelism.tp"],
        pp=values["parallelism.pp"],
        seed=values["general.seed"],
        parameters=parameters(values),
    )
