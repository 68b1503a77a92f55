"""Contradictions between what several files say, or one file in several places, each as a sentence with both values."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from trainingrun.commands.init.batch_script import BatchScript
from trainingrun.commands.init.config_file import ConfigFile
from trainingrun.commands.init.figures import Figures, short
from trainingrun.commands.init.from_nanotron import run_name
from trainingrun.commands.init.from_script import walltime
from trainingrun.commands.init.notices import Notice, contradiction, warned

# Ids of tokenizers that are known by name, as the hub's tokenizer.json has them, special tokens included.
VOCABULARIES: Final[Mapping[str, int]] = {
    "meta-llama/Llama-3": 128_256,
    "meta-llama/Meta-Llama-3": 128_256,
    "meta-llama/Llama-2": 32_000,
    "mistralai/Mistral-7B-v0.1": 32_000,
    "HuggingFaceTB/SmolLM": 49_152,
    "HuggingFaceTB/cosmo2-tokenizer": 49_152,
    "gpt2": 50_257,
    "openai-community/gpt2": 50_257,
}
FAR: Final = 0.15  # a name that says a size is wrong by more than this share
_SIZE: Final = re.compile(r"(?<![\d.])(\d+(?:\.\d+)?)\s?([MB])(?![a-z0-9])", re.IGNORECASE)
_BATCHES: Final = ("global_batch_size", "batch_size", "train_batch_size")
_MODEL: Final = "spec.pretrain.config.model.model_config"
_TOKENS: Final = "spec.pretrain.config.tokens"


@dataclass(frozen=True)
class Material:
    """All that was read, and what came of it."""

    nanotron: ConfigFile | None
    axolotl: Sequence[ConfigFile]
    places: Mapping[str, str]  # path in the spec of an Axolotl configuration, by its source
    pretraining: BatchScript | None  # the script that starts it
    figures: Figures
    trained_length: tuple[int, str]  # tokens of a sequence in pretraining, and who says so
    expected_tokens: int | None = None  # what somebody says they are
    vocabulary: int | None = None  # ids of the tokenizer that was found


def contradictions(material: Material) -> Iterator[Notice]:
    """Every contradiction, in the order of CHECKS."""
    for check in CHECKS:
        yield from check(material)


def _name_and_size(material: Material) -> Iterator[Notice]:
    file = material.nanotron
    name = run_name(file) if file is not None else None
    match = _SIZE.search(name.replace("_", " ")) if name else None
    if file is None or match is None:
        return
    said = float(match.group(1)) * {"M": 1e6, "B": 1e9}[match.group(2).upper()]
    has = material.figures.parameters
    if abs(said - has) > FAR * has:
        yield contradiction(
            f"{file.where('general.run')} calls the run {name}, but the model of {file.where('model.model_config')} "
            f"has {short(has)} parameters.",
            "spec.pretrain.config.general.run",
        )


def _batch(material: Material) -> Iterator[Notice]:
    file = material.nanotron
    if file is None:
        return
    length = file.get("tokens.sequence_length")
    for key in _BATCHES:
        given = file.get(f"tokens.{key}")
        sequences = material.figures.tokens_per_step // length if isinstance(length, int) and length else 0
        if isinstance(given, int) and sequences and given not in (sequences, material.figures.tokens_per_step):
            yield contradiction(
                f"{file.where(f'tokens.{key}')} says {key} {given:,}, but {file.where('tokens.micro_batch_size')} "
                f"makes micro_batch_size × batch_accumulation_per_replica × dp = {sequences:,} sequences a step: the "
                "latter runs.",
                _TOKENS,
            )


def _tokens(material: Material) -> Iterator[Notice]:
    file, expected, figures = material.nanotron, material.expected_tokens, material.figures
    if file is None or expected is None or abs(figures.tokens - expected) <= 0.01 * expected:
        return
    steps = round(expected / figures.tokens_per_step)
    yield contradiction(
        f"--tokens says {short(expected)}, but {file.where('tokens.train_steps')} makes {figures.steps:,} steps × "
        f"{figures.tokens_per_step:,} tokens = {short(figures.tokens)}: the file counts; {steps:,} steps would make "
        f"{short(expected)}.",
        f"{_TOKENS}.train_steps",
    )


def _vocabulary(material: Material) -> Iterator[Notice]:
    file = material.nanotron
    if file is None:
        return
    size, name = file.get("model.model_config.vocab_size"), file.get("tokenizer.tokenizer_name_or_path")
    ids = material.vocabulary
    if ids is None and isinstance(name, str):
        ids = next((count for known, count in VOCABULARIES.items() if name.startswith(known)), None)
    if not isinstance(size, int) or size < 1 or ids is None or size == ids:
        return
    what = (
        f"{file.where('model.model_config.vocab_size')} says vocab_size {size:,}, but the tokenizer {name} "
        f"({file.where('tokenizer.tokenizer_name_or_path')}) has {ids:,} ids"
    )
    if size < ids:
        yield contradiction(f"{what}, some of which the model would not know: set it to {ids}.", f"{_MODEL}.vocab_size")
    else:
        yield warned(f"{what}: {size - ids:,} rows of the embedding are never used.", f"{_MODEL}.vocab_size")


def _lengths(material: Material) -> Iterator[Notice]:
    trained, where = material.trained_length
    for file in material.axolotl:
        length = file.get("sequence_len")
        if not isinstance(length, int) or length == trained or _is_cpt(material, file):
            continue
        what = (
            f"{file.where('sequence_len')} says sequence_len {length:,}, but pretraining "
            f"({where}) has sequence_length {trained:,}"
        )
        place = f"{material.places[file.source]}.sequence_len"
        if length > trained:
            yield contradiction(f"{what}: positions beyond it were never trained; put a cpt stage before it.", place)
        else:
            yield warned(f"{what}: longer conversations are left out.", place)


def _is_cpt(material: Material, file: ConfigFile) -> bool:
    return material.places[file.source].endswith(".cpt.config")


def _tokenizers(material: Material) -> Iterator[Notice]:
    if material.nanotron is None:
        return
    trained = material.nanotron.get("tokenizer.tokenizer_name_or_path")
    for file in material.axolotl:
        other = file.get("tokenizer_config")
        if isinstance(trained, str) and isinstance(other, str) and _base(other) != _base(trained):
            yield contradiction(
                f"{file.where('tokenizer_config')} names the tokenizer {other}, but pretraining "
                f"({material.nanotron.where('tokenizer.tokenizer_name_or_path')}) has {trained}: the latter runs.",
                f"{material.places[file.source]}.tokenizer_config",
            )


def _base(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2].lower()


def _time(material: Material) -> Iterator[Notice]:
    script, figures = material.pretraining, material.figures
    limit = walltime(script) if script is not None else None
    if script is None or limit is None:
        return
    days, setting = limit
    if days < figures.days:
        yield contradiction(
            f"{script.at(setting.line)} gives the job {days:.3g} days (--time={setting.value}), but "
            f"{short(figures.tokens)} tokens on {figures.gpus} GPUs take {figures.days:.3g} ({figures.speed.words}): a "
            "run has no time limit, and goes on by itself.",
            "spec.pretrain.recovery",
        )


def _config_name(material: Material) -> Iterator[Notice]:
    script, file = material.pretraining, material.nanotron
    named = script.launch.config if script is not None and script.launch is not None else None
    if script is None or script.launch is None or file is None or named is None:
        return
    if _base(named) != _base(file.source):
        yield contradiction(
            f"{script.at(script.launch.line)} starts {named}, but {file.source} was given: the latter is written.",
            "spec.pretrain.config",
        )


CHECKS: Final[tuple[Callable[[Material], Iterator[Notice]], ...]] = (
    _name_and_size, _batch, _tokens, _vocabulary, _lengths, _tokenizers, _time, _config_name,
)  # fmt: skip


def vocabulary_of(text: str) -> int | None:
    """How many ids a tokenizer.json has; None where it can't be told."""
    try:
        document: Any = json.loads(text)
        words = document["model"]["vocab"]
        ids = set(words.values()) if isinstance(words, dict) else set(range(len(words)))
        return len(ids | {one["id"] for one in document.get("added_tokens") or ()})
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
