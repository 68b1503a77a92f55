"""What is special about the configuration of a dpo stage, which Axolotl trains with `rl: dpo`."""

from collections.abc import Iterator
from typing import Any, Final

from trainingrun.api.axolotl_types import SftContext
from trainingrun.api.axolotl_values import checked
from trainingrun.api.key_kinds import shown
from trainingrun.api.notes import Note, error, translated, warning

KIND: Final = "dpo"
CHAT: Final = "chat_template.default"
STRATEGIES: Final = (
    CHAT, "chat_template.argilla_chat", "passthrough.default", "zephyr.nectar",
    *(f"{template}.{one}" for template in ("chatml", "llama3")
      for one in ("default", "argilla_chat", "icr", "intel", "prompt_pairs", "ultra")),
)  # fmt: skip
_PACKING: Final = ("sample_packing", "eval_sample_packing")


def method(values: dict[str, Any], context: SftContext) -> Iterator[Note]:
    """Set `rl` as the stage has it, and refuse what Axolotl can't do with pairs of answers."""
    if context.kind != KIND:
        return
    given = values.get("rl")
    if given is None:
        yield translated("rl", "rl is missing and runs as dpo, since this is a dpo stage.")
    elif given == "ipo":
        yield error("rl", "rl is ipo, which is a loss of DPO by now: remove it and set dpo_loss_type: [ipo].")
    elif given != KIND:
        yield error("rl", f"rl is {shown(given)}, but this is a dpo stage: remove it.")
    values["rl"] = KIND
    yield from _contradictions(values)


def _contradictions(values: dict[str, Any]) -> Iterator[Note]:
    for key in _PACKING:
        if values.get(key):
            yield error(key, f"{key} is {shown(values[key])}, but pairs of answers can't be packed: remove it.")
    if values.get("dpo_padding_free"):
        yield warning("dpo_padding_free", "dpo_padding_free has no effect in this release of TRL: remove it.")
    weights, losses = values.get("dpo_loss_weights"), values.get("dpo_loss_type")
    if weights is not None and (not isinstance(losses, list) or len(losses) != len(weights)):
        yield error("dpo_loss_weights", "dpo_loss_weights takes a weight for each loss of dpo_loss_type: give both.")


def strategy(values: dict[str, Any], prefix: str) -> Iterator[Note]:
    """Check the type of a data set of pairs, and write it in full."""
    kind, path = values.get("type"), f"{prefix}type"
    if isinstance(kind, dict):
        values["type"], wrong = checked("preference_type", kind, f"{path}.")
        yield from wrong
    elif kind == "chat_template":
        values["type"] = CHAT
        yield translated(path, f"{path} chat_template becomes {CHAT}, its full name for pairs of answers.")
    elif isinstance(kind, str) and kind not in STRATEGIES:
        yield error(
            path,
            f"{path} {shown(kind)} is no type for pairs of answers: set {CHAT} with field_messages, field_chosen and "
            "field_rejected, or a mapping of field_prompt, field_chosen and field_rejected.",
        )
