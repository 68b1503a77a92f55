"""How much memory of a GPU pretraining takes, and what is said where the GPU has less.

Of the torch engine: what its layers keep for the backward pass, counted tensor by tensor as autograd saves them (a test
holds the formula to what autograd saves), without what torch.compile spares. Of nanotron only what is certain: weights,
gradients, Adam's moments, and the logits of a whole micro batch, which it keeps at once.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from trainingrun.api.nanotron_size import padded_vocabulary, parameters
from trainingrun.api.nanotron_types import PretrainContext
from trainingrun.api.notes import Note, error

GIB: Final = 2**30
OVERHEAD: Final = 1.5 * GIB  # CUDA's context, NCCL's buffers, what the allocator can't use
ROWS: Final = 4096  # of which the torch engine holds logits at once
# Bytes a parameter: weights, gradients and two moments in float32; nanotron has bfloat16 weights besides.
STATES: Final = {"torch": 16, "nanotron": 18}
NANOTRON_CUT: Final = 12  # of nanotron's, that zero_stage 1 cuts: float32 weights and the moments
# Bytes a logit: bfloat16, float32, its softmax and its gradient; of nanotron no softmax, so as not to be too many.
LOGITS: Final = {"torch": 14, "nanotron": 10}

_CONFIG: Final = "model.model_config."
_MICRO: Final = "tokens.micro_batch_size"
_ACCUMULATION: Final = "tokens.batch_accumulation_per_replica"
NEEDED: Final = (
    *(_CONFIG + name for name in (
        "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
        "vocab_size", "tie_word_embeddings",
    )),
    "model.make_vocab_size_divisible_by", "parallelism.tp", "parallelism.pp", "optimizer.zero_stage",
    "tokens.sequence_length", _MICRO, _ACCUMULATION,
)  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """What of a configuration decides on memory."""

    hidden: int
    inner: int
    layers: int
    heads: int
    key_value: int  # numbers of all heads of keys
    vocabulary: int
    length: int
    parameters: int
    recompute: bool

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """The shape in a configuration by dotted paths, which has all of NEEDED."""
        hidden, heads = values[_CONFIG + "hidden_size"], values[_CONFIG + "num_attention_heads"]
        vocabulary = padded_vocabulary(
            values[_CONFIG + "vocab_size"], values["parallelism.tp"], values["model.make_vocab_size_divisible_by"]
        )
        return cls(
            hidden, values[_CONFIG + "intermediate_size"], values[_CONFIG + "num_hidden_layers"], heads,
            hidden // heads * values[_CONFIG + "num_key_value_heads"], vocabulary, values["tokens.sequence_length"],
            parameters(values), bool(values.get("parallelism.recompute_layer")),
        )  # fmt: skip

    @property
    def layer_parameters(self) -> int:
        """Weights of one layer's products."""
        return 2 * self.hidden * (self.hidden + self.key_value) + 3 * self.hidden * self.inner


def kept_by_a_layer(shape: Shape) -> int:
    """Bytes a token that a layer of the torch engine keeps for its backward pass, in bfloat16 over float32 weights.

    Two norms keep input and output in float32; each of five products a bfloat16 copy of its input; attention queries,
    keys, values, what comes out and a sum a head; the gate its four parts.
    """
    return 30 * shape.hidden + 4 * shape.key_value + 4 * shape.heads + 8 * shape.inner + 8


def activations(shape: Shape, micro: int, tp: int) -> float:
    """Bytes that the torch engine's layers keep of a micro batch at most."""
    tokens = micro * shape.length
    one = (kept_by_a_layer(shape) * tokens + 2 * shape.layer_parameters) / tp
    if shape.recompute:
        return one + 4 * shape.hidden * tokens * shape.layers / tp
    return one * shape.layers


def needed(shape: Shape, engine: str, micro: int, tp: int, pp: int, shards: int) -> float:
    """Bytes of a GPU; `shards` ranks share the states of a model where they are cut, else 1."""
    if engine == "nanotron":
        each = STATES[engine] - NANOTRON_CUT + NANOTRON_CUT / shards
        logits = LOGITS[engine] * micro * shape.length * shape.vocabulary / tp
        return OVERHEAD + each * shape.parameters / tp / pp + logits
    states = STATES[engine] * shape.parameters / tp / shards
    logits = LOGITS[engine] * min(micro * shape.length, ROWS) * shape.vocabulary / tp
    gathered = 0.0 if shards == 1 else 2.0 * (2 * shape.layer_parameters + shape.vocabulary * shape.hidden) / tp
    return OVERHEAD + states + gathered + activations(shape, micro, tp) + logits


def of_run(values: Mapping[str, Any], engine: str, ranks: int) -> float | None:
    """Bytes of each of `ranks` GPUs that a configuration by dotted paths takes; None where too little is known."""
    if engine not in STATES or any(values.get(path) is None for path in NEEDED):
        return None
    return _takes(values, engine, ranks, values[_MICRO])


def _takes(values: Mapping[str, Any], engine: str, ranks: int, micro: int) -> float:
    tp, pp = values["parallelism.tp"], values["parallelism.pp"]
    cut = values["optimizer.zero_stage"] > 0 or (engine == "torch" and tp > 1)
    return needed(Shape.of(values), engine, micro, tp, pp, max(ranks // (tp * pp), 1) if cut else 1)


def lint(values: Mapping[str, Any], context: PretrainContext) -> Iterator[Note]:
    """An error where the GPUs have too little memory, with the micro batch that fits."""
    if context.gpu_memory is None or context.cpu or any(values.get(path) is None for path in NEEDED):
        return
    micro, room = values[_MICRO], context.gpu_memory
    batch = micro * values[_ACCUMULATION]

    def takes(size: int) -> float:
        return _takes(values, context.engine, context.processes, size)

    if context.engine not in STATES or takes(micro) <= room:
        return
    how = "about" if context.engine == "torch" else "at least"
    begun = (
        f"{_MICRO} {micro} takes {how} {takes(micro) / GIB:.0f} GiB of a GPU, and pretrain.gpuMemory is "
        f"{room / GIB:.0f} GiB: "
    )
    fitting = next((size for size in range(micro - 1, 0, -1) if batch % size == 0 and takes(size) <= room), None)
    if fitting is not None:
        yield error(_MICRO, f"{begun}set it to {fitting} and {_ACCUMULATION} to {batch // fitting}.")
        return
    yield error(_MICRO, f"{begun}not even 1 fits ({takes(1) / GIB:.0f} GiB); {_way_out(context.engine, values)}.")


def _way_out(engine: str, values: Mapping[str, Any]) -> str:
    if engine == "nanotron":
        return (
            "raise parallelism.tp, or name torch as spec.pretrain.engine, which holds the logits of some rows at once"
        )
    ways = [] if values["optimizer.zero_stage"] else ["optimizer.zero_stage 1"]
    ways += [] if values.get("parallelism.recompute_layer") else ["parallelism.recompute_layer true"]
    return f"try {', '.join([*ways, 'a larger parallelism.tp'])}, or shorter sequences"
