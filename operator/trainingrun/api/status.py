"""What the operator says of a run; bounded, so that it stays far below 64 KiB."""

from typing import Annotated, Literal

from pydantic import Field

from trainingrun.api.base import Model
from trainingrun.api.progress import PreflightResult, Progress

MAX_ATTEMPTS = 20  # attempts listed in the status; older ones lie on the volume
MAX_CHECKPOINTS = 40  # checkpoints listed in the status
MAX_LOSSES = 32  # points of a stage's curve
MAX_MESSAGE = 1024
MAX_AVOIDED = 16  # nodes

MAX_NOTIFICATIONS = 8

Phase = Literal["Pending", "Waiting", "Running", "Suspended", "Succeeded", "Failed"]
NotifiedEvent = Literal["Finished", "Failed", "Silent"]


class Condition(Model):
    """One condition, after the Kubernetes API conventions."""

    type: str
    """What the condition is about."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: str
    """Why, as one CamelCase word."""
    message: str
    """Why, as a sentence."""
    observed_generation: int
    """Generation of the spec that this was said of."""
    last_transition_time: str
    """When the status changed last."""


class LossPoint(Model):
    """The training loss at a step."""

    step: int
    """The step."""
    loss: float
    """Its loss."""


class Skip(Model):
    """Data that a pretrain stage leaves out."""

    step: int
    """Step whose checkpoint training goes on from; the steps after it read later data."""
    steps: int
    """How many steps' data are left out."""
    times: int = 1
    """How many bad losses led to it."""


class GpuHours(Model):
    """GPU-hours of all attempts that have ended."""

    useful: float = 0.0
    """Spent on work that is safe on the volume."""
    lost: dict[str, float] = {}
    """Spent on all else, by the cause that ended the attempt: on starting, saving and waiting, and on work that was
    not safe when the attempt ended."""


class StageStatus(Model):
    """One stage of the run."""

    name: str
    """Name of the stage: its kind, kind-variant, or kind-variant-2 for the second of a kind in the variant's chain."""
    kind: str
    """Kind of the stage."""
    phase: Phase = "Pending"
    """Where it stands."""
    attempt: int = 0
    """Number of the newest attempt; 0 before the first."""
    generation: int = 0
    """Generation of the spec that the newest attempt was made of."""
    inputs: str | None = None
    """Hash of all that the stage is made of; its folder on the volume follows from it."""
    folder: str | None = None
    """Folder of its output on the volume."""
    tokens: dict[str, str] | None = None
    """Of a tokenize stage that has started, the folder on the volume of each source's tokens, by the source's name."""
    batch: list[int] = []
    """Checkpoints that the newest attempt is for, where the stage works through them."""
    progress: Progress | None = None
    """How far it is."""
    restarts: int = 0
    """Restarts after infrastructure failures."""
    preemptions: int = 0
    """Restarts after preemptions, not counted against the budget."""
    stalled: int = 0
    """Failures in a row without progress between them."""
    waits: int = 0
    """Attempts in a row that found no room on the volume, or no nodes; they are not counted against the budget."""
    last_step: int | None = None
    """Newest safe step at the last failure, to tell a crash loop."""
    not_before: str | None = None
    """When the next attempt may start."""
    started_at: str | None = None
    """When its first attempt started."""
    finished_at: str | None = None
    """When it ended."""
    reason: str | None = None
    """Why it stands where it stands, as one word."""
    message: str | None = None
    """The same as a sentence."""
    output: dict[str, str] = {}
    """What came out, by name: figures and folders."""
    losses: Annotated[list[LossPoint], Field(max_length=MAX_LOSSES)] = []
    """Training losses of so far, a few of them, ascending by step: the whole curve lies on the volume."""
    profile: Annotated[str, Field(max_length=128)] | None = None
    """Profile that an attempt was asked for: STEPS RANK TIME ATTEMPT."""
    preflight: PreflightResult | None = None
    """What the last pre-flight of a pretrain stage came to."""
    skips: Annotated[list[Skip], Field(max_length=32)] = []
    """Data left out after a bad loss."""


class Attempt(Model):
    """One attempt of a stage."""

    stage: str
    """Name of the stage."""
    number: int
    """Number of the attempt, from 1."""
    started_at: str
    """When its object was decided on."""
    from_step: int | None = None
    """Newest safe step at that time, of a gang."""
    ended_at: str | None = None
    """When it ended."""
    cause: str | None = None
    """How it ended: a cause of the table in docs/architecture.md."""
    exit_code: int | None = None
    """Exit code of the pod that the cause was read from."""
    pod: str | None = None
    """That pod."""
    node: str | None = None
    """That pod's node, or the one that was at fault, the worst first where it was several."""
    nodes: Annotated[list[str], Field(max_length=MAX_AVOIDED)] = []
    """All nodes that were at fault, where it was several."""
    message: str | None = None
    """What happened, as a sentence."""
    step: int | None = None
    """Newest safe step when it ended."""


class CheckpointStatus(Model):
    """One checkpoint of the pretrain stage that is evaluated."""

    step: int
    """Its step."""
    converted: bool = False
    """Whether its Hugging Face folder is there."""
    scores: dict[str, float] | None = None
    """Main score of each task, when it is evaluated."""


class Notification(Model):
    """A message to people that the run has caused."""

    event: NotifiedEvent
    """What it tells of."""
    stage: str | None = None
    """The stage that it tells of; none where it is about the whole run."""
    at: str
    """When it was decided on."""
    text: str | None = None
    """What is to be sent; left out once that is settled."""
    sent_at: str | None = None
    """When it was sent."""
    error: str | None = None
    """Why it was given up."""


class TrainingRunStatus(Model):
    """What the operator says of the run; written by nothing else."""

    observed_generation: int = 0
    """Generation of the spec that this status is about."""
    phase: Phase = "Pending"
    """Where the run stands."""
    stage: str | None = None
    """The stage that the run is at."""
    progress: str | None = None
    """Step and total of that stage, for people."""
    loss: str | None = None
    """Newest training loss, for people."""
    eta: str | None = None
    """Time until the stage is done, for people."""
    restarts: int = 0
    """Restarts of all stages after failures and preemptions, for people."""
    conditions: Annotated[list[Condition], Field(max_length=16)] = []
    """Ready, Progressing, Suspended, Succeeded, Failed, and Valid."""
    stages: Annotated[list[StageStatus], Field(max_length=64)] = []
    """Every stage of the run."""
    attempts: Annotated[list[Attempt], Field(max_length=MAX_ATTEMPTS)] = []
    """The newest attempts."""
    checkpoints: Annotated[list[CheckpointStatus], Field(max_length=MAX_CHECKPOINTS)] = []
    """Evaluated checkpoints, the oldest left out where there are too many."""
    gpu_hours: GpuHours = GpuHours()
    """GPU-hours of all attempts that have ended."""
    suspected_nodes: Annotated[list[str], Field(max_length=MAX_AVOIDED)] = []
    """Nodes that one failure was the fault of."""
    avoided_nodes: Annotated[list[str], Field(max_length=MAX_AVOIDED)] = []
    """Nodes that two failures were the fault of, or that a pre-flight found bad: no new gang's pod is put there, until
    there is no other node."""
    avoided_because: Annotated[dict[str, str], Field(max_length=MAX_AVOIDED)] = {}
    """Why each of them is avoided, as a sentence, by its name."""
    asked: Annotated[str, Field(max_length=256)] | None = None
    """What a person has asked of the run last, by the annotation trainingrun.dev/asked."""
    answer: str | None = None
    """What became of that, as a sentence."""
    warnings: Annotated[list[str], Field(max_length=16)] = []
    """What the run is told of its configuration."""
    notifications: Annotated[list[Notification], Field(max_length=MAX_NOTIFICATIONS)] = []
    """The newest messages to people, sent or on their way."""
