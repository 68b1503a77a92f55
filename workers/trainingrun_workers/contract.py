"""What a stage's pod is given and what it reports: the only words that the operator and the workers share.

Standard library only. The operator writes a `StageInput` as JSON into a ConfigMap; the pod reads it, works in
`folder` on the volume, POSTs `Snapshot`s while it works, leaves its `Result` as the container's termination message
and ends with an `ExitCode`. All paths in here are relative to the volume's mount, all times are seconds, all sizes
are bytes, and JSON keys are the field names as they stand.
"""

import dataclasses
import enum
import json
from dataclasses import dataclass, field
from typing import Any, Final, Self

CONTRACT_VERSION: Final = 1

VOLUME_VARIABLE: Final = "TRAININGRUN_VOLUME"  # set by tests to work elsewhere than on DEFAULT_VOLUME
INPUT_VARIABLE: Final = "TRAININGRUN_INPUT"
DEFAULT_VOLUME: Final = "/volume"
DEFAULT_INPUT: Final = "/etc/trainingrun/input.json"
TOKEN_FILE: Final = "/var/run/secrets/trainingrun/token"
TERMINATION_LOG: Final = "/dev/termination-log"

COMPLETE_MARKER: Final = "COMPLETE.json"  # written last into a finished folder: its JSON is the stage's output
CHECKPOINT_FOLDER: Final = "checkpoints"  # below a pretrain stage's folder: step-00000300/…
MAX_RESULT_BYTES: Final = 3500  # a termination message is cut at 4096


class ExitCode(enum.IntEnum):
    """How a pod's main process ends, after sysexits.h; any other code is an infrastructure failure."""

    DONE = 0
    BAD_DATA = 65  # the input data is at fault: never retried
    RETRY = 75  # something outside failed (disk full, peer gone): retried
    BAD_CONFIG = 78  # the configuration is at fault: never retried
    PREEMPTED = 143  # told to stop (SIGTERM) and saved: retried without a limit


@dataclass(frozen=True)
class RunReference:
    """The run that a pod works for."""

    namespace: str
    name: str
    uid: str


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


@dataclass(frozen=True)
class TokenizeSpec:
    """A tokenize stage: an Indexed Job whose pod i of `pods` makes every pods-th shard."""

    tokenizer: str  # folder on the volume that transformers' AutoTokenizer loads
    token_bytes: int  # 2 below 65,536 ids, else 4
    vocab_size: int  # the model's: a tokenizer with more ids than this is refused
    shards: int  # token files a source is cut into at most; part of the data's identity
    pods: int
    claim_bytes: int | None  # the claim's size, that the estimate must fit into
    sources: tuple[TokenSource, ...]


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
class PretrainSpec:
    """A pretrain stage: one gang of `nodes` pods with `processes_per_node` ranks each, under torchrun."""

    config: dict[str, Any]  # nanotron 0.4's own configuration, already translated
    data: tuple[DataStage, ...]
    token_bytes: int
    total_steps: int
    tokens_per_step: int
    nodes: int
    processes_per_node: int
    cpu: bool  # no GPU was asked for: gloo and the CPU stand-ins
    checkpoint_every: int
    keep_last: int
    keep_every: int | None
    evaluate_every: int | None  # checkpoints at these steps are kept until `converted` holds them
    converted: str | None  # the convert stage's folder
    hang_timeout: float
    source_folder: str = ""  # unused by nanotron; for engines that start from weights


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


@dataclass(frozen=True)
class SftSpec:
    """An SFT stage: Axolotl's configuration, already checked; the trained model lands in folder/model."""

    base: str  # folder of the model it starts from
    config: dict[str, Any]
    nodes: int
    processes_per_node: int
    cpu: bool
    hang_timeout: float


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


Spec = TokenizeSpec | PretrainSpec | ConvertSpec | EvaluateSpec | SftSpec | ReleaseSpec

SPECS: Final[dict[str, type[Any]]] = {
    "tokenize": TokenizeSpec,
    "pretrain": PretrainSpec,
    "convert": ConvertSpec,
    "evaluate": EvaluateSpec,
    "sft": SftSpec,
    "release": ReleaseSpec,
}


@dataclass(frozen=True)
class StageInput:
    """One stage's whole input, as the pod finds it in INPUT_VARIABLE's file."""

    run: RunReference
    stage: str  # the stage's name: its kind, or kind-variant
    kind: str  # a key of SPECS
    attempt: int
    folder: str  # where the stage's output goes
    run_folder: str  # where snapshots, stacks and logs of the run go
    report_url: str | None
    report_seconds: float
    grace_seconds: float
    spec: Spec
    contract: int = CONTRACT_VERSION

    def to_json(self) -> str:
        """The document as it stands in the ConfigMap, keys sorted so that equal inputs are equal texts."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The input that `to_json` wrote; ValueError when it is of another contract or of no known kind."""
        raw = json.loads(text)
        if raw.get("contract") != CONTRACT_VERSION or raw.get("kind") not in SPECS:
            raise ValueError(
                f"The stage input is of contract {raw.get('contract')} and kind {raw.get('kind')!r}, but this image "
                f"knows contract {CONTRACT_VERSION}: use images of the operator's own version."
            )
        spec = _load(SPECS[raw["kind"]], raw.pop("spec"))
        return cls(run=RunReference(**raw.pop("run")), spec=spec, **raw)


# Fields whose items are dataclasses themselves; every other list of a spec is of plain values.
_NESTED: Final[dict[tuple[type[Any], str], type[Any]]] = {
    (TokenizeSpec, "sources"): TokenSource,
    (PretrainSpec, "data"): DataStage,
    (DataStage, "sources"): DataSource,
    (EvaluateSpec, "models"): EvaluatedModel,
    (EvaluateSpec, "tasks"): EvaluationTask,
}


def _load(kind: type[Any], raw: dict[str, Any]) -> Any:
    values: dict[str, Any] = {}
    for one in dataclasses.fields(kind):
        if one.name not in raw:
            continue
        value = raw[one.name]
        nested = _NESTED.get((kind, one.name))
        if isinstance(value, list):
            value = tuple(_load(nested, item) if nested else item for item in value)
        values[one.name] = value
    return kind(**values)


@dataclass(frozen=True)
class Snapshot:
    """What a pod says of itself while it works; the newest one of a stage replaces the one before."""

    namespace: str
    run: str
    uid: str  # the run's
    stage: str
    attempt: int
    index: int  # the pod's index in its Job or the node's rank in its gang
    time: float  # seconds since the epoch, on the pod's clock
    step: int = 0  # units done: steps, shards, models, tasks
    total: int = 0
    unit: str = "steps"
    loss: float | None = None
    learning_rate: float | None = None
    gradient_norm: float | None = None
    tokens: int | None = None
    tokens_per_second: float | None = None
    eta_seconds: float | None = None
    checkpoint: int | None = None  # newest complete checkpoint's step
    checkpoints: tuple[int, ...] = ()  # all complete ones, ascending
    activity: str = ""  # what it is doing, in a few words: "saving", "loading"
    notes: tuple[str, ...] = ()  # warnings for the user, a sentence each
    counts: dict[str, float] = field(default_factory=dict)  # the stage's own figures, by name

    def to_json(self) -> str:
        """The snapshot as it is POSTed and as it lies on the volume."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Self:
        """The snapshot of a decoded document; ValueError or TypeError when it isn't one."""
        known = {one.name for one in dataclasses.fields(cls)}
        values = {key: value for key, value in raw.items() if key in known}
        for key in ("checkpoints", "notes"):
            values[key] = tuple(values.get(key) or ())
        snapshot = cls(**values)
        for key in ("namespace", "run", "uid", "stage"):
            if not isinstance(getattr(snapshot, key), str):
                raise ValueError(f"The snapshot's {key} is not a text.")
        for key in ("attempt", "index", "step", "total"):
            if not isinstance(getattr(snapshot, key), int):
                raise ValueError(f"The snapshot's {key} is not a whole number.")
        return snapshot


@dataclass(frozen=True)
class Result:
    """A pod's last words: its termination message, as JSON."""

    exit_code: int
    reason: str  # one CamelCase word: Completed, BadData, VolumeFull, Preempted …
    message: str  # one sentence: what happened, where, what to do
    step: int | None = None  # newest step that is safe on the volume
    output: dict[str, Any] = field(default_factory=dict)  # of a finished stage; also its COMPLETE_MARKER

    def to_json(self) -> str:
        """The result as a termination message, without its output when that would make it too long."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        if len(text.encode()) > MAX_RESULT_BYTES:
            short = dataclasses.replace(self, output={}, message=self.message[:1500])
            text = json.dumps(dataclasses.asdict(short), sort_keys=True)
        return text

    @classmethod
    def from_text(cls, text: str) -> Self | None:
        """The result in a termination message, or None where the message is something else."""
        try:
            raw = json.loads(text)
            return cls(**{one.name: raw[one.name] for one in dataclasses.fields(cls) if one.name in raw})
        except (ValueError, TypeError):
            return None


def checkpoint_name(step: int) -> str:
    """The folder of a checkpoint or of a model made from it: step-00000300."""
    return f"step-{step:08d}"
