"""What is made of the trained weights: conversion, evaluation, variants, the release."""

from typing import Annotated, Literal

from pydantic import Field

from trainingrun.api.base import NAME_PATTERN, Model, Name
from trainingrun.api.data import Placement, VolumePath
from trainingrun.api.names import MAX_CHAIN, MAX_VARIANT_NAME, TUNING_KINDS
from trainingrun.api.task_sets import TASK_SETS, TaskSet
from trainingrun.api.training import Cpt, Dpo, Sft, Tuning


class Convert(Placement):
    """Conversion of checkpoints to Hugging Face folders: a Job."""

    tolerance: Annotated[float, Field(gt=0)] = 0.05
    """Largest difference of both sides' logits on a probe, in the checkpoint's own type and by the largest logit."""


class Task(Model):
    """One task of the evaluation harness."""

    name: Annotated[str, Field(min_length=1, max_length=128)]
    """Name of the task in lm-eval or in a file of taskFolder."""
    fewshot: Annotated[int, Field(ge=0, le=100)] | None = None
    """Examples shown before each question; the task's own number where it is left out."""
    limit: Annotated[int, Field(ge=1)] | None = None
    """Questions at most, for trials."""


class EvaluatedCheckpoints(Model):
    """Which checkpoints are evaluated."""

    every: Annotated[int, Field(ge=1)]
    """Checkpoints at multiples of this step are converted and evaluated, and the last one."""
    initial: bool = False
    """Whether the untrained model, step 0, is evaluated as well."""


class ComparedModel(Model):
    """A model that is none of this run's, evaluated on the same tasks."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", min_length=1, max_length=64)]
    """Name of the model in tables and figures."""
    path: VolumePath
    """Folder on the volume that holds the model as transformers writes it."""


class Evaluate(Placement):
    """Evaluation of checkpoints while pretraining goes on, and of each variant: Jobs."""

    checkpoints: EvaluatedCheckpoints | None = None
    """Which checkpoints are evaluated; only the last one where it is left out."""
    task_sets: Annotated[list[TaskSet], Field(max_length=len(TASK_SETS))] = []
    """Lists of tasks by name, with the few-shot numbers of the report (docs/evaluation.md)."""
    tasks: Annotated[list[Task], Field(max_length=128)] = []
    """What is asked besides; a task that is in a set as well is asked as it stands here."""
    task_folder: VolumePath | None = None
    """Folder on the volume with task files of the user's own."""
    dataset_folder: VolumePath | None = None
    """Folder on the volume with the tasks' data sets, each at its name on the Hugging Face hub: org/name."""
    gpus: Annotated[int, Field(ge=0, le=8)] = 1
    """GPUs of the evaluating pod; 0 evaluates on CPU."""
    batch_size: Annotated[int, Field(ge=1, le=4096)] = 8
    """Requests a forward pass."""
    seed: int = 1234
    """Seed of the harness."""
    compare_with: Annotated[list[ComparedModel], Field(max_length=16)] = []
    """Other models to evaluate on the same tasks, in the same table and figures; may change at any time."""

    def asked(self) -> list[Task]:
        """The tasks of the sets in the order of both, then the others; each once, as `tasks` has it where it does."""
        own = {task.name: task for task in self.tasks}
        asked = {
            name: own.get(name, Task(name=name, fewshot=fewshot))
            for task_set in self.task_sets
            for name, fewshot in TASK_SETS[task_set]
        }
        return list((asked | own).values())


class VariantStage(Model):
    """One stage of a variant, of exactly one kind."""

    sft: Sft | None = None
    """Supervised fine-tuning by Axolotl."""
    dpo: Dpo | None = None
    """Training on preferences by Axolotl."""
    cpt: Cpt | None = None
    """Continued pretraining on plain text by Axolotl, at another context length where one is wanted."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that are given: one, unless the rules are broken."""
        return tuple(kind for kind in TUNING_KINDS if getattr(self, kind) is not None)

    @property
    def tuning(self) -> Tuning:
        """What the stage does; ValueError where it has no kind."""
        for kind in self.kinds:
            given: Tuning = getattr(self, kind)
            return given
        raise ValueError(f"A stage of a variant has no kind: give it one of {', '.join(TUNING_KINDS)}.")


class VariantBase(Model):
    """A model that is none of this run's, for a variant to start from."""

    path: VolumePath
    """Folder on the volume that holds the model as transformers writes it, for example one that a run has released."""


class Variant(Model):
    """A model made from the base model, with its own evaluation and release."""

    name: Annotated[str, Field(pattern=NAME_PATTERN, min_length=1, max_length=MAX_VARIANT_NAME)]
    """Name of the variant."""
    stages: Annotated[list[VariantStage], Field(min_length=1, max_length=MAX_CHAIN)]
    """What is done to the base model, in order: each stage starts from the model of the one before."""
    base: VariantBase | None = None
    """The model that the first stage starts from; this run's base model where it is left out."""


class Push(Model):
    """Upload of the released models to a hub."""

    repository: Annotated[str, Field(pattern=r"^[A-Za-z0-9][-A-Za-z0-9._]*/[A-Za-z0-9][-A-Za-z0-9._]*$", max_length=64)]
    """Repository of the base model, as OWNER/NAME; a variant's has its name behind it, as OWNER/NAME-VARIANT."""
    secret_name: Name
    """A Secret in the run's namespace with the key HF_TOKEN, a token that may write, and HF_ENDPOINT where the hub is
    not the public one. Only the release pods read it."""
    private: bool = True
    """Whether a repository that is made for it is private; one that exists stays as it is."""


class Release(Placement):
    """The released folders: a Job for each model."""

    license: Annotated[str, Field(min_length=1, max_length=64)] = "other"
    """Licence of the models, as an identifier of the Hugging Face hub."""
    languages: Annotated[list[Annotated[str, Field(max_length=16)]], Field(max_length=64)] = []
    """Languages of the models, as ISO 639-1 codes."""
    prompts: Annotated[list[Annotated[str, Field(max_length=2000)]], Field(max_length=8)] = []
    """Texts that each released model continues as a trial, shown in its card."""
    limitations: Annotated[str, Field(max_length=4000)] | None = None
    """What the models can't do, in your own words, for the card's section about limits."""
    citation: Annotated[str, Field(max_length=4000)] | None = None
    """How the models are cited, BibTeX for example, for the card."""
    gguf: Annotated[list[Literal["f16", "q8_0"]], Field(max_length=2)] = []
    """Types of the GGUF files, for llama.cpp, that are made beside the safetensors; none where it is left out."""
    push: Push | None = None
    """The hub that the models are uploaded to; none where it is left out."""
