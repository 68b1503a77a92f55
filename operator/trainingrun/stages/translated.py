"""The engines' configurations of a run, translated: what every stage and every decision about steps needs."""

from dataclasses import dataclass, replace

from trainingrun.api import names
from trainingrun.api.axolotl_config import AxolotlTranslation, SftContext
from trainingrun.api.axolotl_config import translate as translate_axolotl
from trainingrun.api.nanotron_config import NanotronTranslation, PretrainContext
from trainingrun.api.nanotron_config import translate as translate_nanotron
from trainingrun.api.notes import Note
from trainingrun.api.training import Sft
from trainingrun.api.training_run import TrainingRun

BASE_MODEL = "base"  # what an Axolotl configuration's base_model is until its stage puts the folder in


@dataclass(frozen=True)
class Translated:
    """A run's configurations as the engines get them, with every note made on the way."""

    pretrain: NanotronTranslation
    variants: dict[str, AxolotlTranslation]

    @property
    def notes(self) -> tuple[Note, ...]:
        """All notes with their paths from the spec on, those of pretraining first."""
        notes = list(_under("spec.pretrain.config", self.pretrain.notes))
        for name, variant in self.variants.items():
            notes.extend(_under(f"spec.variants[{name}].stages[0].sft.config", variant.notes))
        return tuple(notes)


def _under(place: str, notes: tuple[Note, ...]) -> tuple[Note, ...]:
    return tuple(replace(note, path=f"{place}.{note.path}" if note.path else place) for note in notes)


def translated(run: TrainingRun) -> Translated:
    """The translations of a run."""
    variants = {
        variant.name: _axolotl(variant.name, stage.sft)
        for variant in run.spec.variants
        for stage in variant.stages
        if stage.sft is not None
    }
    return Translated(_nanotron(run), variants)


def _nanotron(run: TrainingRun) -> NanotronTranslation:
    pretrain = run.spec.pretrain
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
        source_paths=tuple(source.path for source in run.spec.data),
    )
    return translate_nanotron(pretrain.config, context)


def _axolotl(variant: str, sft: Sft) -> AxolotlTranslation:
    context = SftContext(
        nodes=sft.nodes,
        gpus_per_node=sft.gpus_per_node,
        cpu=sft.gpus_per_node == 0,
        base_model=BASE_MODEL,
        name=variant,
    )
    return translate_axolotl(sft.config, context)


def volume_path(path: str) -> str:
    """A path relative to the volume's root: "/models/x", "models/x" and "/volume/models/x" are the same folder."""
    mount = names.VOLUME_MOUNT + "/"
    return path.removeprefix(mount).strip("/") if not _is_address(path) else path


def _is_address(path: str) -> bool:
    return "://" in path
