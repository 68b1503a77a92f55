"""What is special about the configuration of a cpt stage, which goes on pretraining with plain text."""

from collections.abc import Iterator
from typing import Any, Final

from trainingrun.api.axolotl_types import SftContext
from trainingrun.api.key_kinds import shown
from trainingrun.api.notes import Note, error, translated

KIND: Final = "cpt"
TYPE: Final = "completion"  # Axolotl's name for data sets of plain text
CUT: Final = 64  # a text counts up to this many times sequence_len: Axolotl's completion.py
_POSITIONS: Final = "max_position_embeddings"


def context_length(values: dict[str, Any], context: SftContext) -> Iterator[Note]:
    """What is to be said of the length at which the model goes on."""
    if context.kind != KIND:
        return
    length = values.get("sequence_len")
    if length is None:
        yield error(
            "sequence_len",
            "sequence_len is missing, which is the context length that a cpt stage goes on with: add it, for example "
            "sequence_len: 32768.",
        )
        return
    given = (values.get("model_config") or {}).get(_POSITIONS)
    if given is not None and (type(given) is not int or given < length):
        path = f"model_config.{_POSITIONS}"
        yield error(path, f"{path} is {shown(given)}, less than sequence_len {length}: remove it, or raise it to that.")
        return
    becomes = "" if given is not None else f", and where the model has fewer positions its {_POSITIONS} becomes that"
    yield translated(
        "sequence_len",
        f"sequence_len {length:,} is the context length that the stage goes on with: texts are cut into pieces of it, "
        f"of a single text {length * CUT:,} tokens at most{becomes}.",
    )


def plain(values: dict[str, Any], prefix: str) -> Iterator[Note]:
    """Check that a data set is plain text, and write its field in full."""
    kind, path = values.get("type"), f"{prefix}type"
    if kind is not None and kind != TYPE:
        yield error(
            path,
            f"{path} {shown(kind)} is no plain text, which a cpt stage goes on with: set type: {TYPE} and field: text, "
            "or make an sft stage of it.",
        )
        return
    if kind is None:
        values["type"] = TYPE
        yield translated(path, f"{path} is missing and runs as {TYPE}, since this is a cpt stage.")
    if not values.get("field"):
        values["field"] = "text"
        yield translated(f"{prefix}field", f"{prefix}field is missing and runs as text.")
