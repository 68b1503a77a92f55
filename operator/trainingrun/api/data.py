"""Where a run's bytes lie and what it reads: storage, tokenizer, data sources, the tokenize stage."""

from typing import Annotated, Literal

from pydantic import Field

from trainingrun.api.base import Model, Name, Quantity

VolumePath = Annotated[str, Field(min_length=1, max_length=512)]


class ClaimTemplate(Model):
    """A claim that the operator makes for the run."""

    size: Quantity
    """Size of the claim, for example 10Ti."""
    storage_class_name: Name | None = None
    """StorageClass of the claim; the cluster's default where it is left out."""


class Storage(Model):
    """The volume that holds raw data, tokens, checkpoints and models: an existing claim, or one to make."""

    claim_name: Name | None = None
    """An existing PersistentVolumeClaim in the run's namespace; ReadWriteMany where a stage has several pods."""
    claim: ClaimTemplate | None = None
    """A claim to make, named like the run, ReadWriteMany."""
    deletion_policy: Literal["Retain", "Delete"] = "Retain"
    """What becomes of the claim that the run made when the run is deleted; fixed once it is made. An existing claim
    always stays."""


class Tokenizer(Model):
    """The tokenizer of data and model."""

    path: VolumePath
    """Folder on the volume that transformers' AutoTokenizer loads, relative to the volume's root or absolute in it."""


class LanguageScore(Model):
    """A filter by a score that the data carry, such as FineWeb2's confidence in a document's language."""

    key: Annotated[str, Field(min_length=1, max_length=128)] = "language_score"
    """Column that holds the score, a number; documents without one are left out."""
    min: float
    """Documents with a lower score are left out, for example 0.65."""


class DataSource(Model):
    """One source of pretraining text."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=40)]
    """Name of the source, by which data stages refer to it."""
    path: VolumePath
    """Folder or file on the volume, or an hf:// or s3:// address: parquet, jsonl or jsonl.zst."""
    glob: Annotated[str, Field(max_length=256)] = "**/*.parquet"
    """Which files below the path belong to the source, for example **/*.jsonl.zst."""
    text_key: Annotated[str, Field(min_length=1, max_length=128)] = "text"
    """Column, or key of each line of jsonl, that holds the text."""
    weight: Annotated[float, Field(gt=0)] = 1.0
    """Share of the training tokens, relative to the sum of all weights."""
    limit: Annotated[int, Field(ge=1)] | None = None
    """Documents to read at most, those that are then left out among them."""
    language: Annotated[str, Field(max_length=16)] | None = None
    """Language of the text, as an ISO 639-1 code or a name such as code, by which the card counts tokens."""
    license: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """Licence of the text, as an identifier of the Hugging Face hub; compared with release.license."""
    language_score: LanguageScore | None = None
    """Which documents are left out by a score; none where it is left out."""
    secret_name: Name | None = None
    """A Secret in the run's namespace, for an hf:// or s3:// address: its keys are environment variables of the pods
    that tokenize, for example HF_TOKEN, or AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL and AWS_REGION.
    Only the pods read it."""


class Resources(Model):
    """Compute resources of a stage's container, as in a pod."""

    requests: dict[str, Quantity] = {}
    """What the scheduler reserves."""
    limits: dict[str, Quantity] = {}
    """What the container may use at most."""


class Toleration(Model):
    """A taint that the pods tolerate, as in a pod."""

    key: Annotated[str, Field(max_length=317)] | None = None
    """Key of the taint; every taint where it is left out, which needs operator Exists."""
    operator: Literal["Exists", "Equal"] | None = None
    """Whether the taint's value matters; Equal where it is left out."""
    value: Annotated[str, Field(max_length=63)] | None = None
    """Value of the taint, for operator Equal."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Effect of the taint; every effect where it is left out."""
    toleration_seconds: int | None = None
    """Seconds for which a NoExecute taint is tolerated; always where it is left out."""


class Placement(Model):
    """Where and with what a stage's pods run."""

    resources: Resources = Resources()
    """Requests and limits of the container; GPUs are added by gpusPerNode."""
    node_selector: dict[str, str] = {}
    """Labels that a node must have."""
    tolerations: Annotated[list[Toleration], Field(max_length=16)] = []
    """Taints that the pods tolerate, as in a pod."""
    priority_class_name: Name | None = None
    """PriorityClass of the pods."""


class Scheduling(Model):
    """Who decides when a gang's pods run."""

    queue_name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=63)] | None = None
    """Kueue's LocalQueue that the run's Jobs and PyTorchJobs wait in, as the label kueue.x-k8s.io/queue-name."""
    scheduler_name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=63)] | None = None
    """Scheduler of the gangs' pods, for example one that schedules whole gangs; the cluster's own by default."""


class Tokenize(Placement):
    """How the data are tokenized: an Indexed Job, each of whose pods is replaced by itself when it dies."""

    shards: Annotated[int, Field(ge=1, le=100000)] = 64
    """Units of work, and so token files, that a source is cut into at most, at row groups; part of the data's identity,
    so independent of the number of pods."""
    parallelism: Annotated[int, Field(ge=1, le=1024)] = 4
    """Pods that tokenize at the same time, each in as many threads as it requests whole CPUs, four at most. It can be
    changed while they do: they are replaced by that many others, which go on with what is not yet done."""
