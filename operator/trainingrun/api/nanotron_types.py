"""What the translation of a nanotron configuration is given and what it yields."""

from dataclasses import dataclass
from typing import Any

from trainingrun.api.notes import Note, errors


@dataclass(frozen=True)
class PretrainContext:
    """What a run says beside its nanotron configuration."""

    nodes: int
    gpus_per_node: int  # 0 on CPU
    processes_per_node: int  # 1 on CPU
    sources: tuple[tuple[str, float], ...]  # names and weights of spec.data
    vocab_size: int | None  # ids of the tokenizer, where they are known
    tokenizer: str
    run_name: str
    checkpoint_every: int | None  # spec.pretrain.checkpoints.every
    cpu: bool
    engine: str = "nanotron"  # or "torch"
    gpu_memory: float | None = None  # bytes of each GPU, where the run says so
    source_paths: tuple[str, ...] = ()  # paths of spec.data in the order of `sources`: a second name of each

    @property
    def processes(self) -> int:
        """Ranks of the gang: one a GPU, or one a pod on CPU."""
        return self.nodes * max(self.gpus_per_node, self.processes_per_node)


@dataclass(frozen=True)
class DataStageRequest:
    """The mix of sources that is served from a step on."""

    name: str
    start_step: int  # from 1
    seed: int
    sources: tuple[tuple[str, float], ...]  # names of spec.data's sources and their weights


@dataclass(frozen=True)
class NanotronTranslation:
    """What runs and what is to be said; sizes are 0 and `config` holds what was right where `notes` hold errors."""

    config: dict[str, Any]  # of nanotron 0.4; checkpoints_path and resume_checkpoint_path are the worker's to set
    notes: tuple[Note, ...]
    data_stages: tuple[DataStageRequest, ...] = ()  # by start_step
    total_steps: int = 0
    tokens_per_step: int = 0
    sequence_length: int = 0
    vocab_size: int = 0  # ids the model knows, without padding
    token_bytes: int = 0  # bytes of a token in the token files: 2 below 65,536 ids, else 4
    checkpoint_every: int = 0
    dp: int = 0
    tp: int = 0
    pp: int = 0
    seed: int = 0
    parameters: int = 0  # of the model, with a padded vocabulary, tied embeddings counted once

    @property
    def errors(self) -> tuple[Note, ...]:
        """The notes for which the stage cannot run."""
        return errors(self.notes)
