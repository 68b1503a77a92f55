"""What is made of the trained weights: conversion, evaluation, variants, the release."""

from typing import Annotated

from pydantic import Field

from trainingrun.api.base import NAME_PATTERN, Model
from trainingrun.api.data import Placement, VolumePath
from trainingrun.api.names import MAX_CHAIN, MAX_VARIANT_NAME, TUNING_KINDS
from trainingrun.api.training import Dpo, Sft, Tuning


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


class Evaluate(Placement):
    """Evaluation of checkpoints while pretraining goes on, and of each variant: Jobs."""

    checkpoints: EvaluatedCheckpoints | None = None
    """Which checkpoints are evaluated; only the last one where it is left out."""
    tasks: Annotated[list[Task], Field(min_length=1, max_length=128)]
    """What is asked."""
    task_folder: VolumePath | None = None
    """Folder on the volume with task files of the user's own."""
    gpus: Annotated[int, Field(ge=0, le=8)] = 1
    """GPUs of the evaluating pod; 0 evaluates on CPU."""
    batch_size: Annotated[int, Field(ge=1, le=4096)] = 8
    """Requests a forward pass."""
    seed: int = 1234
    """Seed of the harness."""


class VariantStage(Model):
    """One stage of a variant, of exactly one kind."""

    sft: Sft | None = None
    """Supervised fine-tuning by Axolotl."""
    dpo: Dpo | None = None
    """Training on preferences by Axolotl."""

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


class Variant(Model):
    """A model made from the base model, with its own evaluation and release."""

    name: Annotated[str, Field(pattern=NAME_PATTERN, min_length=1, max_length=MAX_VARIANT_NAME)]
    """Name of the variant."""
    stages: Annotated[list[VariantStage], Field(min_length=1, max_length=MAX_CHAIN)]
    """What is done to the base model, in order: each stage starts from the model of the one before."""


class Release(Placement):
    """The released folders: a Job for each model."""

    license: Annotated[str, Field(min_length=1, max_length=64)] = "other"
    """Licence of the models, as an identifier of the Hugging Face hub."""
    languages: Annotated[list[Annotated[str, Field(max_length=16)]], Field(max_length=64)] = []
    """Languages of the models, as ISO 639-1 codes."""
    prompts: Annotated[list[Annotated[str, Field(max_length=2000)]], Field(max_length=8)] = []
    """Texts that each released model continues as a trial, shown in its card."""
