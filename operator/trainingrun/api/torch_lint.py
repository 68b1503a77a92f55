"""How the torch engine lies on its ranks, and what it can't cut, in the manner of `nanotron_lint`."""

from collections.abc import Iterator

from trainingrun.api.nanotron_types import PretrainContext
from trainingrun.api.notes import Note, error, translated


def parallelism(
    context: PretrainContext, dp: int, tp: int, pp: int, zero: int, length: int, vocabulary: int
) -> Iterator[Note]:
    """What keeps a model from being cut as asked; nothing for another engine."""
    if context.engine != "torch":
        return
    if pp > 1:
        yield error(
            "parallelism.pp",
            f"parallelism.pp is {pp}, but the torch engine gives no rank a part of the layers: set it to 1, raise "
            "parallelism.dp, and let optimizer.zero_stage 1 cut weights and moments where memory is short.",
        )
    for name, size in {"tokens.sequence_length": length, "model.model_config.vocab_size": vocabulary}.items():
        if size > 0 and size % tp:
            yield error(
                "parallelism.tp",
                f"parallelism.tp {tp} does not divide {name} {size}, which the torch engine cuts as well: change one.",
            )
    if not context.cpu and context.processes_per_node % tp:
        yield error(
            "parallelism.tp",
            f"parallelism.tp {tp} does not divide the {context.processes_per_node} GPUs of a node, so that ranks which "
            "exchange every product would be on several: lower it, or let optimizer.zero_stage 1 cut the model.",
        )
    if tp > 1 and dp > 1 and zero == 0:
        yield translated(
            "optimizer.zero_stage",
            f"optimizer.zero_stage 0 runs as 1: with parallelism.tp {tp} the torch engine cuts weights and moments "
            "over dp as well.",
        )


def shares(context: PretrainContext, dp: int, tp: int, pp: int, micro: int, accumulation: int) -> Iterator[Note]:
    """How many ranks there are for a step, which any number of them shares; nothing for another engine."""
    ranks, batch = context.processes // (tp * pp), dp * micro * accumulation
    if context.engine != "torch" or context.processes % (tp * pp) or ranks == dp:
        return
    path = "parallelism.dp"
    if batch < ranks:
        yield error(
            path,
            f"A step of dp {dp} · micro_batch_size {micro} · batch_accumulation_per_replica {accumulation} = {batch} "
            f"sequences is less than one for each of {ranks} ranks: lower nodes or gpusPerNode, or train on more "
            "sequences a step.",
        )
        return
    each = f"{batch // ranks}" if batch % ranks == 0 else f"{batch // ranks} or {batch // ranks + 1}"
    yield translated(
        path,
        f"{path} {dp} runs as {ranks}, the ranks that there are: a step stays one of {batch:,} sequences, {each} a "
        "rank.",
    )
