"""Axolotl configurations as variants of a run: each one of its own, or the next stage of whose model it starts from."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from trainingrun.api.names import MAX_CHAIN, MAX_VARIANT_NAME
from trainingrun.commands.init.batch_script import BatchScript
from trainingrun.commands.init.config_file import ConfigFile
from trainingrun.commands.init.from_script import gang
from trainingrun.commands.init.notices import Notice, changed


@dataclass
class Variants:
    """spec.variants, what is to be said, and where each file's configuration went."""

    items: list[dict[str, Any]] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)  # path in the spec of a file's configuration, by its source


def variants(files: Sequence[ConfigFile], scripts: Mapping[str, BatchScript]) -> Variants:
    """The variants of configurations; `scripts` are those that start them, by the configuration's source."""
    made = Variants()
    outputs: dict[str, int] = {}  # position of the variant that writes a folder
    for file in files:
        before = outputs.get(_folder(file.get("base_model")))
        if before is None or len(made.items[before]["stages"]) == MAX_CHAIN:
            made.items.append({"name": _name(file, made.items), "stages": []})
            before = len(made.items) - 1
        variant = made.items[before]
        kind, place = kind_of(file), f"spec.variants[{variant['name']}].stages[{len(variant['stages'])}]"
        size = gang(scripts.get(file.source), None, f"{place}.{kind}")
        config = copy.deepcopy(file.content)
        made.notices += size.notices
        made.notices += _mended(file, config, f"{place}.{kind}.config")
        made.places[file.source] = f"{place}.{kind}.config"
        variant["stages"].append({kind: {**size.fields, "config": config}})
        outputs[_folder(file.get("output_dir"))] = before
    return made


def kind_of(file: ConfigFile) -> str:
    """What a configuration trains: pairs of answers, plain text, or conversations."""
    if file.get("rl") in ("dpo", "ipo"):
        return "dpo"
    datasets = file.get("datasets")
    kinds = [one.get("type") for one in datasets if isinstance(one, dict)] if isinstance(datasets, list) else []
    return "cpt" if kinds and all(one == "completion" for one in kinds) else "sft"


def is_axolotl(file: ConfigFile) -> bool:
    """Whether a file is an Axolotl configuration, by its keys."""
    return "base_model" in file.content or isinstance(file.get("datasets"), list)


def _folder(value: Any) -> str:
    """A folder's name in one spelling; of what is none, a text that no folder has."""
    return str(PurePath(value)) if isinstance(value, str) and value else "\0"


def _name(file: ConfigFile, items: Sequence[Mapping[str, Any]]) -> str:
    """A variant's name after the file's: the first word that isn't taken, else with a number."""
    words = [one for one in re.split(r"[^a-z0-9]+", PurePath(file.source).stem.lower()) if re.match("[a-z]", one)]
    taken = {one["name"] for one in items}
    kind = kind_of(file)
    wanted = next((one for one in words if len(one) <= MAX_VARIANT_NAME - 2 and one not in taken), kind)
    numbered = (f"{wanted}{number}" for number in range(2, 100))
    return wanted if wanted not in taken else next(one for one in numbered if one not in taken)


def _mended(file: ConfigFile, config: dict[str, Any], place: str) -> list[Notice]:
    """What Axolotl has dropped, written as what does the same today."""
    notices: list[Notice] = []
    if config.get("rl") == "ipo":
        config |= {"rl": "dpo", "dpo_loss_type": ["ipo"]}
        notices.append(changed(f"{file.where('rl')}: rl ipo is dpo_loss_type: [ipo] by now.", f"{place}.rl"))
    datasets = config.get("datasets")
    for index, item in enumerate(datasets if isinstance(datasets, list) else ()):
        if not isinstance(item, dict) or not str(item.get("type")).startswith("sharegpt"):
            continue
        given = item["type"]
        item.pop("conversation", None)
        item |= {
            "type": "chat_template",
            "field_messages": item.get("field_messages", "conversations"),
            "message_property_mappings": {"role": "from", "content": "value"},
        }
        notices.append(
            changed(
                f"{file.where(f'datasets[{index}].type')} has the type {given}, which Axolotl no longer knows: it is "
                "written as chat_template with the fields that sharegpt had.",
                f"{place}.datasets[{index}].type",
            )
        )
    return notices
