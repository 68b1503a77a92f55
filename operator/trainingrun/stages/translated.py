"""The engines' configurations of a run, translated: what every stage and every decision about steps needs."""

from dataclasses import dataclass, replace

from trainingrun.api import names
from trainingrun.api.axolotl_config import AxolotlTranslation, SftContext
from trainingrun.api.axolotl_config import translate as translate_axolotl
from trainingrun.api.base import quantity
from trainingrun.api.custom_engine import translate as translate_custom
from trainingrun.api.nanotron_config import NanotronTranslation, PretrainContext
from trainingrun.api.nanotron_config import translate as translate_nanotron
from trainingrun.api.notes import Note
from trainingrun.api.training import Tuning
from trainingrun.api.training_run import TrainingRun
from trainingrun.stages.instances import chain_names

BASE_MODEL = "base"  # what an Axolotl configuration's base_model is until its stage puts the folder in


@dataclass(frozen=True)
class Translated:
    """A run's configurations as the engines get them, with every note made on the way."""

    pretrain: NanotronTranslation
    tuning: dict[str, AxolotlTranslation]  # by the stage's name
    places: dict[str, str]  # of each of these in the spec

    @property
    def notes(self) -> tuple[Note, ...]:
        """All notes with their paths from the spec on, those of pretraining first."""
        notes = list(_under("spec.pretrain.config", self.pretrain.notes))
        for name, tuning in self.tuning.items():
            notes.extend(_under(self.places[name], tuning.notes))
        return tuple(notes)


def _under(place: str, notes: tuple[Note, ...]) -> tuple[Note, ...]:
    return tuple(replace(note, path=f"{place}.{note.path}" if note.path else place) for note in notes)


def translated(run: TrainingRun) -> Translated:
    """The translations of a run."""
    tuning: dict[str, AxolotlTranslation] = {}
    places: dict[str, str] = {}
    for variant in run.spec.variants:
        for position, (kind, name) in enumerate(chain_names(variant)):
            tuning[name] = _axolotl(name, kind, variant.stages[position].tuning)
            places[name] = f"spec.variants[{variant.name}].stages[{position}].{kind}.config"
    return Translated(_pretrain(run), tuning, places)


def _pretrain(run: TrainingRun) -> NanotronTranslation:
    pretrain = run.spec.pretrain
    if pretrain.custom is not None:
        sources = tuple((source.name, source.weight) for source in run.spec.data)
        return translate_custom(pretrain.custom, pretrain.config, pretrain.checkpoints.every, sources)
    if pretrain.engine == "custom":  # which a rule refuses: nothing is known of it
        return NanotronTranslation(dict(pretrain.config), ())
    context = PretrainContext(
        nodes=pretrain.nodes,
        gpus_per_node=pretrain.gpus_per_node,
        processes_per_node=max(pretrain.gpus_per_node, 1),
        sources=tuple((source.name, source.weight) for source in run.spec.data),
        vocab_size=None,
        tokenizer=volume_path(run.spec.tokenizer.path),
        run_name=run.metadata.name,
        checkpoint_every=pretrain.checkpoints.every,
        cpu=pretrain.gpus_per_node == 0,
        engine=pretrain.engine,
        gpu_memory=None if pretrain.gpu_memory is None else float(quantity(pretrain.gpu_memory)),
        source_paths=tuple(source.path for source in run.spec.data),
    )
    return translate_nanotron(pretrain.config, context)


def _axolotl(name: str, kind: str, tuning: Tuning) -> AxolotlTranslation:
    context = SftContext(
        nodes=tuning.nodes,
        gpus_per_node=tuning.gpus_per_node,
        cpu=tuning.gpus_per_node == 0,
        base_model=BASE_MODEL,
        name=name,
        kind=kind,
    )
    return translate_axolotl(tuning.config, context)


def volume_path(path: str) -> str:
    """A path relative to the volume's root: "/models/x", "models/x" and "/volume/models/x" are the same folder."""
    mount = names.VOLUME_MOUNT + "/"
    return path.removeprefix(mount).strip("/") if not _is_address(path) else path


def _is_address(path: str) -> bool:
    return "://" in path
