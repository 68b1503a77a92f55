"""Published configurations as test inputs, and what a run says beside them."""

import copy
from pathlib import Path
from typing import Any

import yaml

from trainingrun.api.axolotl_types import SftContext
from trainingrun.api.nanotron_types import PretrainContext
from trainingrun.api.notes import Note

REPORTS = Path(__file__).parent / "unit" / "trainingrun" / "api" / "reports"

_NANOTRON: dict[str, Any] = yaml.safe_load((REPORTS / "nanotron_bilingual_0_4b.yaml").read_text())
_AXOLOTL: dict[str, Any] = yaml.safe_load((REPORTS / "axolotl_sft_fsdp.yaml").read_text())

SIXTY_FOUR_GPUS = PretrainContext(
    nodes=8,
    gpus_per_node=8,
    processes_per_node=8,
    sources=(("fineweb-350bt", 0.4), ("fineweb2-ita", 0.4), ("starcoder", 0.2)),
    vocab_size=128256,
    tokenizer="models/Llama-3.2-1B",
    run_name="zagreus-0.4b-ita",
    checkpoint_every=None,
    cpu=False,
)
THIRTY_TWO_GPUS = SftContext(nodes=4, gpus_per_node=8, cpu=False, base_model="zagreus", name="sft-instruct")
ONE_CPU = SftContext(nodes=1, gpus_per_node=0, cpu=True, base_model="zagreus", name="sft-instruct")


def nanotron(**changes: Any) -> dict[str, Any]:
    """The published nanotron configuration with changes by path, `__` for the dots; None takes a key away."""
    return _changed(_NANOTRON, changes)


def axolotl(**changes: Any) -> dict[str, Any]:
    """The published Axolotl configuration with changes by path, as `nanotron`."""
    return _changed(_AXOLOTL, changes)


def _changed(config: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(config)
    for path, value in changes.items():
        put(result, path.split("__"), value)
    return result


def put(config: dict[str, Any], parts: list[str], value: Any) -> None:
    """Sets, or with None takes away, the value below the parts of a path."""
    *sections, leaf = parts
    for section in sections:
        config = config.get(section, {}) if value is None else config.setdefault(section, {})
    if value is None:
        config.pop(leaf, None)
    else:
        config[leaf] = value


def messages(notes: tuple[Note, ...], severity: str) -> list[str]:
    """The messages of one severity."""
    return [note.message for note in notes if note.severity == severity]
