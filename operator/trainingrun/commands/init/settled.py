"""A manifest made to pass `trainingrun check`: what the engines refuse is changed or left out, and said.

The check itself says what is wrong; here is only what is done about it. What can't be mended without another model
coming out is not: `UnsettledError` says so, and nothing is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from pydantic import ValidationError

from trainingrun.api import names
from trainingrun.api.key_kinds import shown
from trainingrun.api.nanotron_keys import NANOTRON_TABLE
from trainingrun.api.notes import Note
from trainingrun.api.training_run import TrainingRun
from trainingrun.commands.init.config_file import value_at
from trainingrun.commands.init.notices import Notice, assumed, contradiction, lost, unused, warned
from trainingrun.stages.context import Context
from trainingrun.stages.settings import Settings

_SCHEDULE: Final = "optimizer.learning_rate_scheduler"
_TRIES: Final = 200  # each takes one key out

# Keys without which something else altogether would be trained, and sections that hold more than what is wrong.
ESSENTIAL: Final = re.compile(
    r"spec\.pretrain\.config\.(model\.model_config\.(is_\w+_config|moe_config)|model\.init_method\.path"
    r"|parallelism\.expert_parallel_size|data_stages|(parallelism|tokens|optimizer|model|model\.model_config))$"
    r"|spec\.variants.*\.config\.(rl|reward_model|process_reward_model|pretraining_dataset|datasets|sequence_len)$"
)
# Warnings about two values that can't both be meant; others are only worth a look.
BETWEEN_VALUES: Final = (
    _SCHEDULE, "tokens.", "parallelism.", "model.", "data_stages", "checkpoints.checkpoint_interval", "cosine_",
    "special_tokens.",
)  # fmt: skip

# Keys that every configuration needs: what is wrong with one of these is for a person to say.
NEEDED: Final = frozenset(f"spec.pretrain.config.{key.path}" for key in NANOTRON_TABLE.keys if key.example is not None)

Mend = Callable[[dict[str, Any]], str | None]


class UnsettledError(Exception):
    """What keeps a manifest from passing, a sentence a line."""


def manifest(name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """The object of a run."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {"name": name},
        "spec": dict(spec),
    }


def context(name: str, spec: Mapping[str, Any]) -> Context:
    """The run with all that follows from it; UnsettledError where a field takes no such value."""
    try:
        return Context(TrainingRun.from_object(manifest(name, spec)), Settings())
    except ValidationError as error:
        raise UnsettledError("\n".join(_refused(one) for one in error.errors(include_url=False))) from error


def _refused(fault: Mapping[str, Any]) -> str:
    place = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in fault["loc"])
    return f"spec{place}: {fault['msg'][0].lower()}{fault['msg'][1:]}, but would be {shown(fault['input'])}."


def settle(name: str, spec: dict[str, Any], where: Callable[[str], str]) -> list[Notice]:
    """Change a spec until nothing is wrong with it; what was changed, and what else there is to say.

    `where` yields the place in somebody's file of a path in the spec. UnsettledError where it can't be mended.
    """
    notices: list[Notice] = []
    for _ in range(_TRIES):
        problems = context(name, spec).problems
        wrong = [note for note in problems if note.severity == "error"]
        if not wrong:
            return notices + [said for note in problems for said in _said(note, where)]
        notices.append(_mended(spec, wrong, where))
    raise UnsettledError(f"More than {_TRIES} keys of the configuration can't be carried over: look at it.")


def _mended(spec: dict[str, Any], wrong: list[Note], where: Callable[[str], str]) -> Notice:
    """One error less."""
    for note in wrong:
        mend = MENDS.get(note.path)
        done = mend(spec) if mend is not None else None
        if done is not None:
            return contradiction(f"{where(note.path)}: {note.message.rstrip('.')}. {done}", note.path)
        kept = note.path in NEEDED or ESSENTIAL.match(note.path)
        holder, key = (None, "") if kept else _holder(spec, note.path)
        if holder is not None:
            value = holder.pop(key)
            above = note.path.rpartition(".")[0]
            return lost(f"{where(note.path)}, {key}: {shown(value)}. {note.message}", above)
    raise UnsettledError("\n".join(f"{where(note.path)}: {note.message}" for note in wrong))


def _said(note: Note, where: Callable[[str], str]) -> Iterator[Notice]:
    inside = note.path.partition(".config.")[2]
    if note.severity == "ignored":
        yield unused(note.message, note.path)
    elif note.severity == "warning":
        kind = contradiction if inside.startswith(BETWEEN_VALUES) else warned
        yield kind(f"{where(note.path)}: {note.message}", note.path)
    elif inside.endswith(".path"):  # of a data set, which the engine would have looked for elsewhere
        yield assumed(note.message, note.path)


def _holder(spec: dict[str, Any], path: str) -> tuple[dict[str, Any] | None, str]:
    """The mapping in a configuration that holds the last key of a path, and that key; None where there is none."""
    before, middle, inside = path.partition(".config.")
    if not middle:
        return None, ""
    found = _at(spec, f"{before}.config")
    *sections, key = inside.split(".")
    for section in sections:
        found = _step(found, section)
    return (found, key) if isinstance(found, dict) and key in found else (None, key)


def _at(spec: Mapping[str, Any], path: str) -> Any:
    found: Any = spec
    for part in path.removeprefix("spec.").split("."):
        found = _step(found, part)
    return found


def _step(found: Any, part: str) -> Any:
    """What a part of a path leads to: a key, and behind it an index or a name in brackets."""
    key, _, bracket = part.partition("[")
    found = found.get(key) if isinstance(found, Mapping) else None
    if not bracket:
        return found
    wanted = bracket.rstrip("]")
    if not isinstance(found, list):
        return None
    if wanted.isdigit():
        return found[int(wanted)] if int(wanted) < len(found) else None
    return next((one for one in found if isinstance(one, dict) and one.get("name") == wanted), None)


def _shorter_decay(spec: dict[str, Any]) -> str | None:
    """A decay that ends with the last step; a start behind it moves forward."""
    schedule = value_at(spec, f"pretrain.config.{_SCHEDULE}")
    steps = value_at(spec, "pretrain.config.tokens.train_steps")
    if not isinstance(schedule, dict) or not all(_is_whole(one) for one in (steps, schedule.get("lr_decay_steps"))):
        return None
    start = schedule.get("lr_decay_starting_step", schedule.get("lr_warmup_steps", 0))
    if not _is_whole(start):
        return None
    if start >= steps:
        start = max(steps - schedule["lr_decay_steps"], 0)
        schedule["lr_decay_starting_step"] = start
    schedule["lr_decay_steps"] = steps - start
    return f"lr_decay_starting_step {start:,} and lr_decay_steps {steps - start:,} are written."


def _other_dp(spec: dict[str, Any]) -> str | None:
    """As many replicas as the GPUs make, where they make a whole number of them."""
    pretrain = spec["pretrain"]
    sizes, processes = value_at(pretrain, "config.parallelism"), pretrain["nodes"] * max(pretrain["gpusPerNode"], 1)
    if not isinstance(sizes, dict) or not all(_is_whole(sizes.get(one)) and sizes[one] for one in ("tp", "pp")):
        return None
    if processes % (sizes["tp"] * sizes["pp"]):
        return None
    sizes["dp"] = processes // (sizes["tp"] * sizes["pp"])
    return f"dp {sizes['dp']} is written, with which a step has another number of tokens."


def _is_whole(value: Any) -> bool:
    return type(value) is int and value >= 0


MENDS: Final[Mapping[str, Mend]] = {
    f"spec.pretrain.config.{_SCHEDULE}.lr_decay_steps": _shorter_decay,
    "spec.pretrain.config.parallelism": _other_dp,
}
