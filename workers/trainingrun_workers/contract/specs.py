"""What each kind of stage is to do."""

from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True)
class TokenSource:
    """One data source of a tokenize stage; its tokens lie in `folder` once that has a COMPLETE_MARKER."""

    name: str
    path: str  # folder or file on the volume, or hf:// or s3://
    glob: str
    text_key: str
    weight: float
    folder: str  # artifacts/tokens/<hash>
    limit: int | None = None  # documents at most
    score_key: str | None = None  # column with each document's score; documents without one are left out
    min_score: float | None = None  # documents with a lower score are left out; set where score_key is


@dataclass(frozen=True)
class TokenizeSpec:
    """A tokenize stage: a Job of `pods` pods that share the units of work among them."""

    tokenizer: str  # folder on the volume that transformers' AutoTokenizer loads
    token_bytes: int  # 2 below 65,536 ids, else 4
    vocab_size: int  # the model's: a tokenizer with more ids than this is refused
    shards: int  # units, and so token files, a source is cut into at most; part of the data's identity
    pods: int
    claim_bytes: int | None  # the claim's size, that the estimate must fit into
    sources: tuple[TokenSource, ...]
    threads: int = 1  # of a pod, that encode: the whole CPUs it asks for
    end_of_text: int | None = (
        None  # the id at which the model cuts documents, where it does; a tokenizer with another is refused
    )


@dataclass(frozen=True)
class DataSource:
    """One token folder that a pretrain stage reads."""

    name: str
    folder: str
    weight: float


@dataclass(frozen=True)
class DataStage:
    """The mix of sources that is served from a step on, until the next stage starts."""

    name: str
    start_step: int  # 1-based training step, as nanotron's start_training_step
    seed: int
    sources: tuple[DataSource, ...]


@dataclass(frozen=True)
class Skip:
    """Data left out: from the step after `step` on, samples are read `steps` steps' worth further on."""

    step: int
    steps: int


@dataclass(frozen=True)
class PretrainSpec:
    """A pretrain stage: one gang of `nodes` pods with `processes_per_node` ranks each, under torchrun."""

    config: dict[str, Any]  # in nanotron 0.4's schema, already translated; a custom engine's as the run has it
    data: tuple[DataStage, ...]
    token_bytes: int
    total_steps: int
    tokens_per_step: int
    nodes: int
    processes_per_node: int
    cpu: bool  # no GPU was asked for: gloo, and for nanotron the CPU stand-ins
    checkpoint_every: int
    keep_last: int
    keep_every: int | None
    evaluate_every: int | None  # checkpoints at these steps are kept until `converted` holds them
    converted: str | None  # the convert stage's folder
    hang_timeout: float
    engine: str = "nanotron"  # or "torch"; "custom" for an engine that is not of this package
    skips: tuple[Skip, ...] = ()  # ascending by step; checkpoints made without one that lies before them are set aside
    loss_spike: float | None = None  # a logged loss above this multiple of the median of the last hundred is bad
    auto_interval: bool = False  # checkpoint_every is only where to begin
    seconds_between_failures: float = 432000.0
    saves_in_background: bool = True  # where the engine can: training goes on while a checkpoint is written
    sequence_length: int = 0  # what follows is for engines that can't read it out of `config`
    vocab_size: int = 0
    seed: int = 42
    # enabled, timeout in seconds, and floors by the names of the measures in pretrain.preflight; nothing is measured
    # where it is empty
    preflight: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ConvertSpec:
    """A convert stage: makes a Hugging Face folder of each listed checkpoint of a pretrain stage."""

    pretrain: str  # the pretrain stage's folder
    steps: tuple[int, ...]  # this attempt's batch; each lands in folder/step-00000300 with a COMPLETE_MARKER
    tokenizer: str
    tolerance: float  # largest logit difference between both sides in the checkpoint's own type, by the largest logit
    probe_tokens: int = 256


@dataclass(frozen=True)
class EvaluationTask:
    """One lm-eval task, by its name in the harness or in a file of `task_folder`."""

    name: str
    fewshot: int | None = None
    limit: int | None = None


@dataclass(frozen=True)
class EvaluatedModel:
    """A model to evaluate; `step` is None for one that is not a checkpoint of the base model."""

    name: str
    folder: str
    step: int | None = None


@dataclass(frozen=True)
class EvaluateSpec:
    """An evaluate stage: scores of each listed model in folder/<model name>.json, and the progression of all there."""

    models: tuple[EvaluatedModel, ...]
    tasks: tuple[EvaluationTask, ...]
    task_folder: str | None
    seed: int
    batch_size: int
    cpu: bool
    progression: bool  # whether the models are checkpoints of one run, to be drawn over steps
    dataset_folder: str | None = None  # where the tasks' data sets lie, each at its name on the hub


@dataclass(frozen=True)
class SftSpec:
    """A stage of Axolotl's, sft, dpo or cpt: its configuration, checked; the trained model lands in folder/model.

    A prepare stage is given the same for one process, and leaves the data where `prepared` of the other points to.
    """

    base: str  # folder of the model it starts from
    config: dict[str, Any]
    nodes: int
    processes_per_node: int
    cpu: bool
    hang_timeout: float
    prepared: str | None = None  # folder of the stage that has prepared the data
    continues: bool = False  # whether it goes on pretraining, with more positions where sequence_len asks for them
    own_base: bool = False  # whether `base` is a folder of the user's own, and not what a stage makes


@dataclass(frozen=True)
class ReleaseSpec:
    """A release stage: a folder that transformers loads, with card, licence, scores and checksums."""

    model: str
    evaluation: str | None  # folder of the evaluate stage whose scores go into the card
    evaluated_as: str | None  # name of the model in it
    name: str
    base_name: str | None  # for a variant: the name of the model it was made from
    licence: str
    languages: tuple[str, ...]
    chat: bool
    prompts: tuple[str, ...]  # texts to continue as a trial, shown in the card
    provenance: dict[str, Any]  # images, versions, data, seeds, configurations: printed in the card
    cpu: bool
    limitations: str | None = None  # the user's own words
    citation: str | None = None
    gguf: tuple[str, ...] = ()  # types of the GGUF files, of f16 and q8_0
    push: dict[str, Any] | None = None  # {"repository": "owner/name", "private": bool}; the token is in HF_TOKEN
    manifest: str | None = None  # the run as it was applied: trainingrun.yaml in the folder
    base_path: str | None = None  # for a variant with a base of its own, without base_name: its folder on the volume


@dataclass(frozen=True)
class JudgeSpec:
    """A judge stage: answers of all models, and what a judge says of every two of them in both orders."""

    models: tuple[EvaluatedModel, ...]
    prompts: str  # file on the volume, jsonl
    secret: str  # name of the Secret whose keys are the pod's environment, for messages alone
    rubric: str | None
    max_tokens: int  # of an answer
    verdict_tokens: int  # of a reply of the judge
    max_unparsable: float  # share of replies without a verdict above which the stage fails
    parallelism: int  # questions to the judge at the same time
    batch_size: int  # prompts that a model answers at the same time
    cpu: bool


@dataclass(frozen=True)
class ReportedModel:
    """A model that a report compares."""

    name: str
    role: str  # base, variant or compared
    scores: str  # the document that its evaluation left
    folder: str  # of the model itself, whose tokenizer is looked at


@dataclass(frozen=True)
class ReportedCurve:
    """A stage that trained."""

    name: str
    folder: str  # holds metrics.jsonl


@dataclass(frozen=True)
class ReportSpec:
    """A report stage: comparison.json, .md, .png and report.html of all models; the first is what others are compared
    with."""

    name: str
    models: tuple[ReportedModel, ...]
    curves: tuple[ReportedCurve, ...]
    progression: str  # folder of the base model's evaluate stage


Spec = TokenizeSpec | PretrainSpec | ConvertSpec | EvaluateSpec | SftSpec | ReleaseSpec | ReportSpec | JudgeSpec

SPECS: Final[dict[str, type[Any]]] = {
    "tokenize": TokenizeSpec,
    "pretrain": PretrainSpec,
    "convert": ConvertSpec,
    "evaluate": EvaluateSpec,
    "sft": SftSpec,
    "dpo": SftSpec,
    "cpt": SftSpec,
    "prepare": SftSpec,
    "release": ReleaseSpec,
    "judge": JudgeSpec,
    "compare": EvaluateSpec,
    "report": ReportSpec,
}
