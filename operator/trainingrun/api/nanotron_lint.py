"""What contradicts itself in a nanotron configuration: checks over several keys, each with its mend.

A check names the values that it needs; it runs where all of them are there and right. The facts checked are those
that nanotron 0.4 asserts once it has started on the GPUs, or silently runs otherwise than it was meant.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from trainingrun.api.nanotron_size import padded_vocabulary
from trainingrun.api.nanotron_types import PretrainContext
from trainingrun.api.notes import Note, error, translated, warning
from trainingrun.api.torch_lint import parallelism, shares

_CONFIG: Final = "model.model_config."
_SCHEDULE: Final = "optimizer.learning_rate_scheduler."

Check = Callable[..., Iterator[Note]]


@dataclass(frozen=True)
class Lint:
    """A check with the paths of the values that it is called with, after the context."""

    check: Check
    needs: tuple[str, ...]


def lint(values: Mapping[str, Any], context: PretrainContext) -> Iterator[Note]:
    """All notes about the values, by dotted path, that were read; checks that lack a value are left out."""
    for one in LINTS:
        if all(values.get(path) is not None for path in one.needs):
            yield from one.check(context, *(values[path] for path in one.needs))


def _world(context: PretrainContext, dp: int, tp: int, pp: int) -> Iterator[Note]:
    if dp * tp * pp == context.processes:
        return
    if context.engine == "torch" and context.processes % (tp * pp) == 0:
        return  # dp says how large the batch is, whatever the number of ranks: see _shares
    each = "1 process each (CPU)" if context.cpu else f"{max(context.gpus_per_node, context.processes_per_node)} GPUs"
    mends = [f"change nodes or gpusPerNode to make {dp * tp * pp}"]
    if context.processes % (tp * pp) == 0:
        mends.insert(0, f"set parallelism.dp to {context.processes // (tp * pp)} (which changes the global batch)")
    yield error(
        "parallelism",
        f"parallelism asks for dp·tp·pp = {dp}·{tp}·{pp} = {dp * tp * pp} processes, but {context.nodes} nodes with "
        f"{each} give {context.processes}: {', or '.join(mends)}.",
    )


def _schedule(
    _: PretrainContext, steps: int, warmup: int, start: int, length: int, peak: float, floor: float
) -> Iterator[Note]:
    path = _SCHEDULE + "lr_decay_steps"
    end = start + length
    if end > steps:
        yield error(
            path,
            f"The learning rate decays until step {end:,} (lr_decay_starting_step {start:,} + lr_decay_steps "
            f"{length:,}), which is past tokens.train_steps {steps:,}: set lr_decay_steps to {max(steps - start, 0):,} "
            "or raise train_steps.",
        )
    elif end < steps:
        yield warning(
            path,
            f"The learning rate reaches its floor of {floor:g} at step {end:,} of {steps:,}, so that "
            f"{100 * (steps - end) / steps:.0f} % of the run trains at it: set tokens.train_steps to {end:,}, or raise "
            "lr_decay_starting_step or lr_decay_steps.",
        )
    if warmup > start:
        yield warning(
            _SCHEDULE + "lr_warmup_steps",
            f"The learning rate warms up until step {warmup:,}, but decays from step {start:,} on, so it jumps: set "
            f"lr_decay_starting_step to at least {warmup:,}.",
        )
    if warmup >= steps:
        yield warning(
            _SCHEDULE + "lr_warmup_steps",
            f"The learning rate warms up for {warmup:,} steps of a run of {steps:,} and never reaches {peak:g}: lower "
            "lr_warmup_steps.",
        )
    if floor > peak:
        yield error(
            _SCHEDULE + "min_decay_lr",
            f"min_decay_lr {floor:g} is above learning_rate {peak:g}, so the rate would rise: lower min_decay_lr.",
        )


def _positions(_: PretrainContext, length: int, positions: int) -> Iterator[Note]:
    path = _CONFIG + "max_position_embeddings"
    if length > positions:
        yield error(
            path,
            f"tokens.sequence_length {length:,} is longer than {path} {positions:,}: raise the latter to {length:,} or "
            "shorten the sequences.",
        )
    elif length < positions:
        yield translated(
            path,
            f"{path} {positions:,} runs as {length:,}: nanotron sets it to tokens.sequence_length.",
        )


def _heads(_: PretrainContext, hidden: int, heads: int, key_value: int) -> Iterator[Note]:
    path = _CONFIG + "num_attention_heads"
    if hidden % heads:
        yield error(path, f"{path} {heads} does not divide hidden_size {hidden}: choose a number of heads that does.")
    elif (hidden // heads) % 2:
        yield error(
            path, f"{path} {heads} makes heads of {hidden // heads} numbers, but rotary embeddings need an even count."
        )
    if heads % key_value:
        path = _CONFIG + "num_key_value_heads"
        yield error(path, f"{path} {key_value} does not divide num_attention_heads {heads}: choose a number that does.")


def _tensor_parallel(
    context: PretrainContext,
    tp: int,
    heads: int,
    key_value: int,
    inner: int,
    length: int,
    mode: str,
    asynchronous: bool,
) -> Iterator[Note]:
    parts = {"num_attention_heads": heads, "num_key_value_heads": key_value, "intermediate_size": inner}
    for name, size in parts.items():
        if size % tp:
            yield error(
                "parallelism.tp", f"parallelism.tp {tp} does not divide model.model_config.{name} {size}: change one."
            )
    if mode == "REDUCE_SCATTER" and context.engine == "nanotron" and length % tp:
        yield error(
            "parallelism.tp",
            f"parallelism.tp {tp} does not divide tokens.sequence_length {length}, which tp_mode REDUCE_SCATTER cuts: "
            "change one.",
        )
    if mode == "ALL_REDUCE" and asynchronous and tp > 1:
        yield error(
            "parallelism.tp_linear_async_communication",
            "parallelism.tp_linear_async_communication needs tp_mode REDUCE_SCATTER: change one of them.",
        )


def _pipeline(_: PretrainContext, pp: int, engine: str, layers: int, accumulation: int) -> Iterator[Note]:
    if pp > layers:
        yield error("parallelism.pp", f"parallelism.pp {pp} is more than the {layers} layers of the model: lower it.")
    if engine == "1f1b" and accumulation < pp - 1:
        yield error(
            "parallelism.pp",
            f"parallelism.pp {pp} with pp_engine 1f1b needs at least {pp - 1} micro-batches a step, but "
            f"tokens.batch_accumulation_per_replica is {accumulation}: raise it to {pp}.",
        )


def _vocabulary(context: PretrainContext, size: int, tp: int, divisible_by: int) -> Iterator[Note]:
    path = _CONFIG + "vocab_size"
    if size < 1:
        yield error(path, f"{path} is {size}, and the size of the tokenizer is not known yet: write the number of ids.")
    elif context.vocab_size is not None and size < context.vocab_size:
        yield error(
            path,
            f"{path} {size:,} is less than the {context.vocab_size:,} ids of the tokenizer {context.tokenizer}: set it "
            f"to {context.vocab_size}.",
        )
    elif context.engine == "nanotron" and (padded := padded_vocabulary(size, tp, divisible_by)) != size:
        yield warning(
            path,
            f"{path} {size:,} is no multiple of tp {tp} · make_vocab_size_divisible_by {divisible_by}: it "
            f"is padded to {padded:,}.",
        )


def _token_id(name: str) -> Lint:
    path = _CONFIG + name

    def check(_: PretrainContext, token: int, size: int) -> Iterator[Note]:
        if 0 < size <= token:
            yield error(path, f"{path} {token} is no id of a vocabulary of {size:,}: give one below {size}.")

    return Lint(check, (path, _CONFIG + "vocab_size"))


def _interval(_: PretrainContext, interval: int, steps: int) -> Iterator[Note]:
    if interval > steps:
        yield warning(
            "checkpoints.checkpoint_interval",
            f"checkpoints.checkpoint_interval {interval:,} is more than tokens.train_steps {steps:,}, so that only the "
            "last step is saved and a restart begins anew: lower it.",
        )


LINTS: Final = (
    Lint(_world, ("parallelism.dp", "parallelism.tp", "parallelism.pp")),
    Lint(
        shares,
        (
            "parallelism.dp", "parallelism.tp", "parallelism.pp", "tokens.micro_batch_size",
            "tokens.batch_accumulation_per_replica",
        ),
    ),
    Lint(
        _schedule,
        (
            "tokens.train_steps", _SCHEDULE + "lr_warmup_steps", _SCHEDULE + "lr_decay_starting_step",
            _SCHEDULE + "lr_decay_steps", _SCHEDULE + "learning_rate", _SCHEDULE + "min_decay_lr",
        ),
    ),
    Lint(_positions, ("tokens.sequence_length", _CONFIG + "max_position_embeddings")),
    Lint(_heads, (_CONFIG + "hidden_size", _CONFIG + "num_attention_heads", _CONFIG + "num_key_value_heads")),
    Lint(
        _tensor_parallel,
        (
            "parallelism.tp", _CONFIG + "num_attention_heads", _CONFIG + "num_key_value_heads",
            _CONFIG + "intermediate_size", "tokens.sequence_length", "parallelism.tp_mode",
            "parallelism.tp_linear_async_communication",
        ),
    ),
    Lint(
        _pipeline,
        (
            "parallelism.pp", "parallelism.pp_engine", _CONFIG + "num_hidden_layers",
            "tokens.batch_accumulation_per_replica",
        ),
    ),
    Lint(
        parallelism,
        (
            "parallelism.dp", "parallelism.tp", "parallelism.pp", "optimizer.zero_stage", "tokens.sequence_length",
            _CONFIG + "vocab_size",
        ),
    ),
    Lint(_vocabulary, (_CONFIG + "vocab_size", "parallelism.tp", "model.make_vocab_size_divisible_by")),
    *map(_token_id, ("bos_token_id", "eos_token_id", "pad_token_id")),
    Lint(_interval, ("checkpoints.checkpoint_interval", "tokens.train_steps")),
)  # fmt: skip
