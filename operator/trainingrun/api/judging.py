"""How a run's models are compared by another model, the judge."""

from typing import Annotated, Final

from pydantic import Field

from trainingrun.api.base import Model, Name
from trainingrun.api.data import Placement, VolumePath

BASE: Final = "base"  # what the base model is called among the models that are judged


class JudgedModel(Model):
    """A model whose answers are judged."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?$", max_length=64)]
    """base for the base model, a variant's name for that variant's; any name where path is given."""
    path: VolumePath | None = None
    """Folder on the volume with another model, as transformers loads it."""


class Judge(Placement):
    """Answers of models compared in pairs by a judge behind an OpenAI-compatible address: a Job."""

    secret_name: Name
    """A Secret in the run's namespace: its keys JUDGE_BASE_URL, for example https://api.example.com/v1, JUDGE_MODEL
    and, where the server asks for one, JUDGE_API_KEY are environment variables of the pod. Only the pod reads it."""
    prompts: VolumePath
    """File on the volume, jsonl: each line has a prompt and may have a reference, a right answer, and a language."""
    between: Annotated[list[JudgedModel], Field(min_length=2, max_length=8)]
    """The models; every two of them are compared."""
    max_tokens: Annotated[int, Field(ge=1, le=32768)] = 512
    """Tokens of each model's answer at most."""
    verdict_tokens: Annotated[int, Field(ge=1, le=32768)] = 1024
    """Tokens of each of the judge's replies at most."""
    rubric: Annotated[str, Field(min_length=1, max_length=4000)] | None = None
    """What the judge is to look at, in words; how helpful, right and clear an answer is where it is left out."""
    max_unparsable: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Share of replies without a verdict above which the stage fails."""
    parallelism: Annotated[int, Field(ge=1, le=64)] = 4
    """Questions that are put to the judge at the same time."""
    batch_size: Annotated[int, Field(ge=1, le=256)] = 8
    """Prompts that a model answers at the same time."""
    gpus: Annotated[int, Field(ge=0, le=1)] = 1
    """GPUs of the pod, in which the models answer; 0 lets them answer on CPU."""
