"""A manifest out of a preset or of files that people have, and all that is to be said about it. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import trainingrun
from trainingrun.api.names import MAX_RUN_NAME
from trainingrun.commands.init import from_nanotron
from trainingrun.commands.init.agreement import Material, contradictions
from trainingrun.commands.init.batch_script import BatchScript
from trainingrun.commands.init.config_file import ConfigFile
from trainingrun.commands.init.figures import Figures, Speed, figures, short, size
from trainingrun.commands.init.from_axolotl import Variants, variants
from trainingrun.commands.init.from_script import gang
from trainingrun.commands.init.gang_size import Part
from trainingrun.commands.init.notices import Notice, assumed
from trainingrun.commands.init.presets import Preset, preset
from trainingrun.commands.init.settled import UnsettledError, context, manifest, settle
from trainingrun.commands.init.with_engine import named, of_ones_own, without_config
from trainingrun.commands.init.written import written

ANY_SIZE: Final = "1Ti"  # of the claim until its size is known
GPUS: Final = 8  # of a node, where nobody says


@dataclass(frozen=True)
class Wanted:
    """What somebody gave: a preset or a nanotron configuration, and what goes with either."""

    speed: Speed
    preset: Preset | None = None
    nanotron: ConfigFile | None = None
    axolotl: tuple[ConfigFile, ...] = ()
    pretraining: BatchScript | None = None  # the script that starts nanotron
    tuning: Mapping[str, BatchScript] = field(default_factory=dict)  # by the source of the Axolotl configuration
    name: str | None = None
    claim: str | None = None
    tokens: int | None = None
    nodes: int | None = None
    gpus: int | None = None  # a node
    vocabulary: int | None = None  # ids of the tokenizer, where its files were found
    engine: str | None = None  # of with_engine.ENGINES


@dataclass(frozen=True)
class Draft:
    """A manifest that passes its check."""

    manifest: dict[str, Any]
    notices: tuple[Notice, ...]
    figures: Figures
    sources: tuple[str, ...]

    @property
    def text(self) -> str:
        """The manifest with its comments."""
        made_of = ", ".join(self.sources)
        header = [f"Written by trainingrun {trainingrun.__version__} init out of {made_of}.", *in_words(self.figures)]
        return written(self.manifest, self.notices, header)


def in_words(found: Figures) -> list[str]:
    """The figures as sentences."""
    tokens = f"{found.steps:,} steps of {found.tokens_per_step:,} tokens are {short(found.tokens)} tokens"
    disk = (
        f"On disk: {size(found.disk)}, of it {size(found.token_files)} of tokens, {size(found.checkpoints)} of "
        f"checkpoints and {size(found.models)} of models; raw text on the volume and variants' checkpoints come to it."
    )
    lines = [f"{short(found.parameters)} parameters; {tokens}.", disk]
    if found.gpus:
        took = f"{found.gpu_days:,.0f} GPU-days, {found.days:,.3g} days on {found.gpus} GPUs"
        lines.append(f"Pretraining takes {took} ({found.speed.words}).")
    if found.gpu_memory is not None:
        how = "about" if found.engine == "torch" else "at least"
        lines.append(f"A GPU needs {how} {size(int(found.gpu_memory))} of memory, by formulas that met no GPU yet.")
    return lines


def draft(wanted: Wanted) -> Draft:
    """The manifest; UnsettledError where what was given can't become one."""
    base = _of_preset(wanted, wanted.preset) if wanted.preset is not None else _of_nanotron(wanted)
    post = variants(wanted.axolotl, wanted.tuning)
    name = wanted.name or run_name(_given_name(wanted))
    spec = {"storage": {"claimName": wanted.claim} if wanted.claim else {"claim": {"size": ANY_SIZE}}, **base.fields}
    if post.items:
        spec["variants"] = post.items
    spec = {key: spec[key] for key in sorted(spec, key=_ORDER.index)}
    spec["pretrain"] = named(spec["pretrain"], wanted.engine)
    notices = [*base.notices, *post.notices, *settle(name, spec, _where(wanted, post))]
    unique = wanted.preset.source.tokens if wanted.preset is not None else None
    found = _figures(name, spec, wanted.speed, unique)
    if not wanted.claim:
        spec["storage"]["claim"]["size"] = found.claim
    material = Material(
        wanted.nanotron, wanted.axolotl, post.places, wanted.pretraining, found, _length(name, spec, wanted),
        wanted.tokens if wanted.nanotron is not None else None, wanted.vocabulary,
    )  # fmt: skip
    notices = [*contradictions(material), *notices, *_storage(wanted, found), *_evaluation(spec)]
    if wanted.engine == "custom":
        spec["pretrain"], said = of_ones_own(name, spec)
        notices, found = [*without_config(notices), *said], replace(found, engine="custom", gpu_memory=None)
    return Draft(manifest(name, spec), tuple(dict.fromkeys(notices)), found, _sources(wanted))


def _length(name: str, spec: Mapping[str, Any], wanted: Wanted) -> tuple[int, str]:
    """Tokens of a sequence in pretraining, and who says so."""
    file, one = wanted.nanotron, wanted.preset
    says = file.where("tokens.sequence_length") if file is not None else f"preset {one.name}" if one is not None else ""
    return context(name, spec).translated.pretrain.sequence_length, says


def _figures(name: str, spec: Mapping[str, Any], speed: Speed, unique: int | None) -> Figures:
    try:
        return figures(context(name, spec), speed, unique)
    except OverflowError as error:
        raise UnsettledError("The configuration's sizes are beyond any computer: look at its numbers.") from error


_ORDER: Final = ("storage", "tokenizer", "data", "tokenize", "pretrain", "evaluate", "variants", "release")


def _of_preset(wanted: Wanted, one: Preset) -> Part:
    nodes = wanted.nodes or one.nodes
    gpus = GPUS if wanted.gpus is None else wanted.gpus
    return preset(one, wanted.tokens or one.source.tokens, nodes, gpus)


def _of_nanotron(wanted: Wanted) -> Part:
    file = wanted.nanotron
    assert file is not None
    base = from_nanotron.base_model(file)
    fields = dict(base.fields)
    config = fields.pop("config")
    size_of_it = _gang(wanted, file)
    notices = [*base.notices, *size_of_it.notices, *_parallelism(file, config, size_of_it.fields)]
    fields["pretrain"] = {**size_of_it.fields, "config": config}
    return Part(fields, tuple(notices))


def _gang(wanted: Wanted, file: ConfigFile) -> Part:
    found = gang(wanted.pretraining, from_nanotron.world(file), "spec.pretrain")
    asked = {"nodes": wanted.nodes, "gpusPerNode": wanted.gpus}
    given = {key: value for key, value in asked.items() if value is not None}
    return Part({**found.fields, **given}, found.notices)


def _parallelism(file: ConfigFile, config: dict[str, Any], size_of_it: Mapping[str, Any]) -> list[Notice]:
    """dp where the configuration leaves it out: what the GPUs make of it."""
    sizes = config.get("parallelism")
    if from_nanotron.world(file) is not None or not isinstance(sizes, dict) or "dp" in sizes:
        return []
    tp, pp = sizes.setdefault("tp", 1), sizes.setdefault("pp", 1)
    if type(tp) is not int or type(pp) is not int or tp < 1 or pp < 1:
        return []
    sizes["dp"] = max(1, size_of_it["nodes"] * max(size_of_it["gpusPerNode"], 1) // (tp * pp))
    return [
        assumed(f"{file.name} gives no dp: {sizes['dp']} is what the GPUs make.", "spec.pretrain.config.parallelism.dp")
    ]


def _given_name(wanted: Wanted) -> str:
    if wanted.preset is not None:
        return f"llama-{wanted.preset.name}"
    job = wanted.pretraining.directives.get("job-name") if wanted.pretraining is not None else None
    found = from_nanotron.run_name(wanted.nanotron) if wanted.nanotron is not None else None
    return found or (job.value if job is not None else "run")


def run_name(text: str) -> str:
    """A text as a run may be called: lower-case letters, digits and hyphens, from a letter on, 32 of them at most."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return (plain if plain[:1].isalpha() else f"run-{plain}")[:MAX_RUN_NAME].strip("-")


def _where(wanted: Wanted, post: Variants) -> Callable[[str], str]:
    """The place in somebody's file of a path in the spec."""
    files = {one.source: one for one in wanted.axolotl}
    prefixes = [(place, files[source]) for source, place in post.places.items()]
    if wanted.nanotron is not None:
        prefixes.append(("spec.pretrain.config", wanted.nanotron))

    def where(path: str) -> str:
        for place, file in prefixes:
            if path == place or path.startswith(f"{place}."):
                return file.where(path[len(place) + 1 :])
        return path

    return where


def _storage(wanted: Wanted, found: Figures) -> list[Notice]:
    if wanted.claim is not None:
        return []
    return [
        assumed(
            f"A claim of {found.claim} is made for the run, a fifth more than {size(found.disk)}: name a claim of "
            "yours with claimName, or a StorageClass with ReadWriteMany as storageClassName.",
            "spec.storage.claim",
        )
    ]


def _evaluation(spec: Mapping[str, Any]) -> list[Notice]:
    if "evaluate" in spec:
        return []
    return [assumed("Nothing is evaluated: add spec.evaluate, for example {taskSets: [en], checkpoints: {every: …}}.")]


def _sources(wanted: Wanted) -> tuple[str, ...]:
    files: Sequence[ConfigFile | BatchScript | None] = (
        wanted.nanotron, *wanted.axolotl, wanted.pretraining, *wanted.tuning.values(),
    )  # fmt: skip
    named = [f"the preset {wanted.preset.name}"] if wanted.preset is not None else []
    return tuple(dict.fromkeys([*named, *(one.source for one in files if one is not None)]))
