"""The resource `TrainingRun`: the source of the CRD, of the reference and of what the operator reads."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationError

from trainingrun.api import names
from trainingrun.api.base import Model
from trainingrun.api.data import DataSource, Scheduling, Storage, Tokenize, Tokenizer
from trainingrun.api.judging import Judge
from trainingrun.api.results import Convert, Evaluate, Release, Variant
from trainingrun.api.status import TrainingRunStatus
from trainingrun.api.training import Pretrain


class TrainingRunSpec(Model):
    """What the user wants."""

    suspend: bool = False
    """Whether the run is to stand still: running stages save and end, and go on when this is false again."""
    storage: Storage
    """The volume that holds everything."""
    tokenizer: Tokenizer
    """The tokenizer of data and model."""
    data: Annotated[list[DataSource], Field(min_length=1, max_length=64)]
    """What the base model is trained on."""
    tokenize: Tokenize = Tokenize()
    """How the data are tokenized."""
    pretrain: Pretrain
    """How the base model is trained."""
    convert: Convert = Convert()
    """How checkpoints become Hugging Face folders."""
    evaluate: Evaluate | None = None
    """What checkpoints and variants are asked; no evaluation where it is left out."""
    variants: Annotated[list[Variant], Field(max_length=8)] = []
    """Models made from the base model."""
    judge: Judge | None = None
    """How models are compared by another model; they are not where it is left out."""
    release: Release = Release()
    """How the models are released."""
    scheduling: Scheduling = Scheduling()
    """Who decides when the pods run."""


class Metadata(Model):
    """What the operator needs of the object's metadata."""

    name: str
    namespace: str = "default"
    uid: str = ""
    generation: int = 1
    deleting: bool = False
    created_at: str = ""
    asked: str = ""


class TrainingRun(Model):
    """A run as the operator works with it: parsed, frozen."""

    metadata: Metadata
    spec: TrainingRunSpec
    status: TrainingRunStatus = TrainingRunStatus()

    @classmethod
    def from_object(cls, raw: Mapping[str, Any]) -> "TrainingRun":
        """The run of an API object; pydantic.ValidationError when the object is not one."""
        metadata = raw["metadata"]
        return cls(
            metadata=Metadata(
                name=metadata["name"],
                namespace=metadata.get("namespace", "default"),
                uid=metadata.get("uid", ""),
                generation=metadata.get("generation", 1),
                deleting="deletionTimestamp" in metadata,
                created_at=metadata.get("creationTimestamp") or "",
                asked=(metadata.get("annotations") or {}).get(names.ANNOTATION_ASKED, ""),
            ),
            spec=TrainingRunSpec.model_validate(raw["spec"]),
            status=parse_status(raw.get("status") or {}),
        )


def parse_status(raw: Mapping[str, Any]) -> TrainingRunStatus:
    """The status of an API object, fields of other versions left out so that an upgrade never stops a run."""
    try:
        return TrainingRunStatus.model_validate(raw)
    except ValidationError:
        return TrainingRunStatus.model_validate(_known(TrainingRunStatus, raw))


def _known(model: type[Model], raw: Mapping[str, Any]) -> dict[str, Any]:
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    return {key: _known_value(fields[key].annotation, value) for key, value in raw.items() if key in fields}


def _known_value(annotation: Any, value: Any) -> Any:
    inner = next((one for one in _models_in(annotation)), None)
    if inner is None:
        return value
    if isinstance(value, list):
        return [_known(inner, item) for item in value]
    return _known(inner, value) if isinstance(value, Mapping) else value


def _models_in(annotation: Any) -> list[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return [annotation]
    return [found for one in getattr(annotation, "__args__", ()) for found in _models_in(one)]
