"""What the translation of an Axolotl configuration is given and what it yields."""

from dataclasses import dataclass
from typing import Any

from trainingrun.api.notes import Note, errors


@dataclass(frozen=True)
class SftContext:
    """What a run says beside its Axolotl configuration."""

    nodes: int
    gpus_per_node: int  # 0 on CPU
    cpu: bool
    base_model: str  # what the stage starts from, as it is called in messages
    name: str  # the stage's name
    kind: str = "sft"  # of the stage: one of names.TUNING_KINDS

    @property
    def processes(self) -> int:
        """Ranks of the gang: one a GPU, or one a pod on CPU."""
        return self.nodes * max(self.gpus_per_node, 1)


@dataclass(frozen=True)
class AxolotlTranslation:
    """What runs and what is to be said; `config` holds what was right where `notes` hold errors.

    The worker sets base_model, output_dir and dataset_prepared_path, and puts the volume's mount before the paths of
    data sets that have no scheme; those of the hub start with hf://, which it takes away.
    """

    config: dict[str, Any]  # of Axolotl 0.19.0
    notes: tuple[Note, ...]
    global_batch: int = 0  # sequences a step
    sequence_length: int = 0  # tokens
    datasets: tuple[str, ...] = ()  # paths, relative to the volume or with their scheme

    @property
    def errors(self) -> tuple[Note, ...]:
        """The notes for which the stage cannot run."""
        return errors(self.notes)
