"""What contradicts itself in an Axolotl configuration, before a pod finds out."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from trainingrun.api.key_kinds import shown
from trainingrun.api.notes import Note, error, warning

_EXCLUSIVE: Final = (
    ("warmup_steps", "warmup_ratio"),
    ("save_steps", "saves_per_epoch"),
    ("eval_steps", "evals_per_epoch"),
    ("test_datasets", "val_set_size"),
    ("gradient_accumulation_steps", "batch_size"),
)
_BY_STEPS: Final = (("save_strategy", "save_steps"), ("eval_strategy", "eval_steps"))
_COSINE_ONLY: Final = ("cosine_min_lr_ratio", "cosine_constant_lr_ratio")
_POSITIVE: Final = ("micro_batch_size", "gradient_accumulation_steps", "sequence_len", "num_epochs", "save_steps")


def lint(values: Mapping[str, Any]) -> Iterator[Note]:
    """All notes about the values of a configuration whose types are right."""
    yield from _exclusive(values)
    yield from _numbers(values)
    yield from _learning_rate(values)
    yield from _saving(values)
    yield from _tokens(values)
    yield from _template(values)


def _exclusive(values: Mapping[str, Any]) -> Iterator[Note]:
    for one, other in _EXCLUSIVE:
        if values.get(one) and values.get(other):
            yield error(one, f"{one} and {other} say the same in two ways, which Axolotl refuses: remove one of them.")
    for strategy, steps in _BY_STEPS:
        if values.get(steps) and values.get(strategy, "steps") != "steps":
            yield error(
                strategy, f"{strategy} is {shown(values[strategy])}, but {steps} is given: set it to steps or drop one."
            )
    asks = values.get("eval_steps") or values.get("eval_strategy", "no") != "no"
    if asks and values.get("val_set_size") == 0 and not values.get("test_datasets"):
        yield error(
            "val_set_size", "val_set_size is 0, but an evaluation is asked for: raise it or drop eval_strategy."
        )


def _numbers(values: Mapping[str, Any]) -> Iterator[Note]:
    for key in _POSITIVE:
        value = values.get(key, 1)
        if isinstance(value, int | float) and not value > 0:
            yield error(key, f"{key} is {shown(value)}, but takes a number above 0.")
    packing = values.get("sample_packing_bin_size", 1)
    if packing < 1:
        yield error("sample_packing_bin_size", f"sample_packing_bin_size is {packing}, but takes a number above 0.")


def _learning_rate(values: Mapping[str, Any]) -> Iterator[Note]:
    if "learning_rate" not in values:
        yield error("learning_rate", "learning_rate is missing: add it, for example learning_rate: 1.0e-5.")
    else:
        yield from _rate(values["learning_rate"])
    scheduler = values.get("lr_scheduler", "cosine")
    given = [key for key in _COSINE_ONLY if key in values]
    if given and scheduler != "cosine":
        yield warning(
            given[0],
            f"{' and '.join(given)} have no effect with lr_scheduler {shown(scheduler)}, so the learning rate does not "
            "fall: set lr_scheduler: cosine if that is meant.",
        )


def _rate(value: Any) -> Iterator[Note]:
    try:
        rate = float(value)
    except ValueError:
        rate = -1.0
    if not 0.0 < rate < float("inf"):
        yield error(
            "learning_rate", f"learning_rate is {shown(value)}, but takes a number above 0, for example 1.0e-5."
        )


def _saving(values: Mapping[str, Any]) -> Iterator[Note]:
    if values.get("save_strategy") == "no":
        yield warning("save_strategy", 'save_strategy "no" writes no checkpoints, so a restart begins anew: remove it.')
    if values.get("save_only_model"):
        yield warning(
            "save_only_model", "save_only_model leaves the optimizer out, so a restart begins anew: remove it."
        )


def _tokens(values: Mapping[str, Any]) -> Iterator[Note]:
    tokens = values.get("special_tokens") or {}
    pad = tokens.get("pad_token")
    if pad is not None and pad == tokens.get("eos_token"):
        yield warning(
            "special_tokens.pad_token",
            f"special_tokens.pad_token and eos_token are both {shown(pad)}, so that padding and the end of a turn "
            "cannot be told apart when answers are generated in batches: give pad_token a token of its own.",
        )


def _template(values: Mapping[str, Any]) -> Iterator[Note]:
    jinja = values.get("chat_template_jinja")
    choice = values.get("chat_template")
    if choice == "jinja" and not jinja:
        yield error("chat_template", "chat_template is jinja, but chat_template_jinja is missing: add the template.")
    if jinja is not None:
        yield from _jinja(jinja)
    chats = [item for item in values.get("datasets", ()) if str(item.get("type")).startswith("chat_template")]
    if not jinja and not choice and any(not item.keys() & {"chat_template", "chat_template_jinja"} for item in chats):
        yield warning(
            "chat_template",
            "chat_template is missing, so the tokenizer must bring a template of its own, which one for pretraining "
            "seldom does: set for example chat_template: chatml.",
        )


def _jinja(template: str) -> Iterator[Note]:
    if "{%" not in template and "{{" not in template:
        yield error(
            "chat_template_jinja",
            f"chat_template_jinja {shown(template)} is no Jinja template: write the template, not a file's name.",
        )
    for opening, closing in (("{%", "%}"), ("{{", "}}")):
        if template.count(opening) != template.count(closing):
            yield warning(
                "chat_template_jinja",
                f"chat_template_jinja has {template.count(opening)} {opening} and {template.count(closing)} {closing}: "
                "check that all of it was pasted.",
            )
