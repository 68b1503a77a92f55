"""Axolotl's data sets as a run's pods find them: paths on the volume, checked keys.

A path is on the volume, relative to its root or absolute in it; one on the Hugging Face Hub starts with hf://, so that
a misspelt path never becomes a download.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from trainingrun.api import axolotl_preferences as preferences
from trainingrun.api import axolotl_texts as texts
from trainingrun.api.axolotl_values import checked
from trainingrun.api.key_kinds import shown
from trainingrun.api.names import VOLUME_MOUNT
from trainingrun.api.notes import Note, error, translated

_EXAMPLE: Final = "{path: sft/conversations.jsonl, type: chat_template, field_messages: messages}"
_EXAMPLE_OF_TEXT: Final = "{path: texts/books.jsonl, type: completion, field: text}"
_TRAIN_ON: Final = ("all", "turn", "last", "none")
_SCHEMES: Final = ("hf://", "s3://", "gs://")


@dataclass
class Datasets:
    """The data sets in Axolotl's keys, with paths as `AxolotlTranslation` says, and what is to be said."""

    items: list[dict[str, Any]] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


def datasets(key: str, raw: Any, kind: str = "sft") -> Datasets:
    """The data sets of `datasets` or `test_datasets` of a stage of a kind; `raw` is that key's value, anything JSON."""
    result, section = Datasets(), "preference" if kind == preferences.KIND else "dataset"
    example = _EXAMPLE_OF_TEXT if kind == texts.KIND else _EXAMPLE
    if raw is None:
        result.notes.append(error(key, f"{key} is missing: add it, for example [{example}]."))
    elif not isinstance(raw, list) or not raw:
        result.notes.append(error(key, f"{key} is {shown(raw)}, but takes a list, for example [{example}]."))
    for index, item in enumerate(raw if isinstance(raw, list) else ()):
        prefix = f"{key}[{index}]."
        if not isinstance(item, dict):
            message = f"{key}[{index}] is {shown(item)}, but takes a mapping, for example {example}."
            result.notes.append(error(f"{key}[{index}]", message))
            continue
        values, wrong = checked(section, item, prefix)
        result.notes.extend(wrong)
        if kind == texts.KIND:
            result.notes.extend(texts.plain(values, prefix))
        result.notes.extend(_faults(values, values | item if kind == texts.KIND else item, prefix))
        if kind == preferences.KIND:
            result.notes.extend(preferences.strategy(values, prefix))
        if isinstance(values.get("path"), str):
            values["path"], said = _path(values["path"], f"{prefix}path")
            result.notes.extend(said)
        result.items.append(values)
    return result


def _faults(values: dict[str, Any], item: dict[str, Any], prefix: str) -> Iterator[Note]:
    for name, example in (("path", "sft/conversations.jsonl"), ("type", "chat_template")):
        if not item.get(name):
            path = prefix + name
            yield error(path, f"{path} is missing: add it, for example {name}: {example}.")
    kind = values.get("type")
    if isinstance(kind, str) and kind.startswith("sharegpt"):
        path = f"{prefix}type"
        yield error(
            path,
            f"{path} {shown(kind)} is no longer supported by Axolotl: set type: chat_template, with field_messages: "
            "conversations and message_property_mappings: {role: from, content: value}.",
        )
    for name in ("train_on_eos", "train_on_eot"):
        if values.get(name, "all") not in _TRAIN_ON:
            path = prefix + name
            yield error(path, f"{path} is {shown(values[name])}, but takes one of {', '.join(_TRAIN_ON)}.")
    if values.get("trust_remote_code"):
        path = f"{prefix}trust_remote_code"
        yield error(path, f"{path} would run a data set's own code: remove it.")


def _path(path: str, key: str) -> tuple[str, list[Note]]:
    if path.startswith("hf://"):
        name = path.removeprefix("hf://").removeprefix("datasets/")
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
            return path, [error(key, f"{key} {shown(path)} is no data set of the Hub: write hf://owner/name.")]
        return f"hf://{name}", []
    if path.startswith(_SCHEMES):
        return path, []
    inside = path.removeprefix(VOLUME_MOUNT + "/") if path.startswith(VOLUME_MOUNT + "/") else path
    relative = "/".join(part for part in inside.split("/") if part not in ("", "."))
    if not relative or ".." in relative.split("/"):
        return path, [error(key, f"{key} {shown(path)} leaves the volume: write a path below its root.")]
    if path.startswith("/"):
        message = f"{key} {shown(path)} is read as {relative} on the run's volume."
        return relative, [translated(key, message)]
    if re.fullmatch(r"[\w-]+/[\w-]+", path):
        message = f"{key} {shown(path)} is read from the run's volume: write hf://{path} for the Hub's data set."
        return relative, [translated(key, message)]
    return relative, []
