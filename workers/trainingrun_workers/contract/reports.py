"""What a pod says of itself, what it is answered, and its last words."""

import dataclasses
import json
import re
from dataclasses import dataclass, field
from typing import Any, Final, Self

from trainingrun_workers.contract.places import MAX_RESULT_BYTES

LATEST: Final = 1e11  # seconds since the epoch, some thousand years on
_REASON: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}")  # of conditions and events, as the API server takes them
# What a gang that trains measures of itself, by the names in `Snapshot.measured`. Shares are of the time of a step and
# the mean over all ranks; a rank is one GPU or, without GPUs, one process.
MEASURED: Final = (
    "tokens_per_second_per_rank",
    "teraflops_per_rank",  # 10^12 FLOP/s of the model, counted as nanotron does: full attention
    "mfu",  # that by the card's dense bfloat16 peak
    "mfu_causal",  # the same with half of attention
    "memory_allocated",  # bytes at most on any GPU, that tensors took
    "memory_reserved",  # bytes at most on any GPU, that torch took
    "memory_resident",  # bytes at most of any process, without GPUs
    "data_wait",  # share
    "communication_wait",  # share; pretrain.waits says what is counted
    "step_spread",  # own work of the slowest rank by that of the median one
)


def _is_step(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


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
    volume_free: int | None = None  # bytes that can still be written to the volume; None where it does not say
    volume_size: int | None = None  # bytes of the volume in all
    measured: dict[str, float] = field(default_factory=dict)  # by the names of MEASURED that are known
    # of the attempt's pre-flight: seconds, ranks, measured (a line), found (a sentence, or None), and the measures'
    # lowest and median values by name
    preflight: dict[str, Any] = field(default_factory=dict)
    # ranks that hold the others up: each with rank, node, times (as long as the others) and since (a step)
    stragglers: tuple[dict[str, Any], ...] = ()
    profile: str | None = None  # name of the newest profile that was asked for and is over
    profile_error: str | None = None  # why there is none, where it could not be made

    def to_json(self) -> str:
        """The snapshot as it is POSTed and as it lies on the volume."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Self:
        """The snapshot of a decoded document; ValueError or TypeError when it isn't one."""
        known = {one.name for one in dataclasses.fields(cls)}
        values = {key: value for key, value in raw.items() if key in known}
        for key in ("checkpoints", "notes", "stragglers"):
            values[key] = tuple(values.get(key) or ())
        snapshot = cls(**values)
        for key in ("namespace", "run", "uid", "stage"):
            if not isinstance(getattr(snapshot, key), str):
                raise ValueError(f"The snapshot's {key} is not a text.")
        for key in ("attempt", "index", "step", "total"):
            if not isinstance(getattr(snapshot, key), int):
                raise ValueError(f"The snapshot's {key} is not a whole number.")
        snapshot._check_told()
        return snapshot

    def _check_told(self) -> None:
        """ValueError for what would not fit where it is told: any image may report."""
        for key in ("unit", "activity"):
            if not isinstance(getattr(self, key), str):
                raise ValueError(f"The snapshot's {key} is not a text.")
        for key in ("tokens", "checkpoint"):
            if not isinstance(getattr(self, key), int | None):
                raise ValueError(f"The snapshot's {key} is not a whole number.")
        if not all(_is_step(one) for one in self.checkpoints):
            raise ValueError("The snapshot's checkpoints are not steps.")
        if not (isinstance(self.time, int | float) and 0 <= self.time < LATEST):
            raise ValueError("The snapshot's time is not in seconds since the epoch.")


@dataclass(frozen=True)
class Profile:
    """A profile that somebody asks for: of the next steps, by torch's profiler."""

    name: str  # its folder below the run's `profiles`
    attempt: int  # that is to make it; no other does
    steps: int
    rank: int | None = 0  # the one that is profiled; None for all


@dataclass(frozen=True)
class Answer:
    """What the operator answers to a pretrain stage's report: which checkpoints stay, and a profile that is wanted."""

    keep_last: int
    keep_every: int | None = None
    keep: tuple[int, ...] = ()  # steps whose checkpoints stay whatever their age: the best by score
    profile: Profile | None = None

    def to_json(self) -> str:
        """The answer as it is sent."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_text(cls, text: str) -> Self | None:
        """The answer in a response's body; None where it holds none."""
        try:
            raw = json.loads(text)
            every = raw.get("keep_every")
            keep = tuple(int(step) for step in raw.get("keep", ()))
            wanted = raw.get("profile")
            profile = None if wanted is None else Profile(**wanted)
            return cls(int(raw["keep_last"]), None if every is None else int(every), keep, profile)
        except (ValueError, TypeError, KeyError, AttributeError):
            return None


@dataclass(frozen=True)
class Result:
    """A pod's last words: its termination message, as JSON."""

    exit_code: int
    reason: str  # one CamelCase word: Completed, BadData, VolumeFull, Preempted …
    message: str  # one sentence: what happened, where, what to do
    step: int | None = None  # newest step that is safe on the volume; of a bad loss, the step that had it
    output: dict[str, Any] = field(default_factory=dict)  # of a finished stage; also its COMPLETE_MARKER

    def to_json(self) -> str:
        """The result as a termination message; where that would be too long, without the lists and tables of its
        output, or without all of it."""
        plain = {key: value for key, value in self.output.items() if not isinstance(value, dict | list | tuple)}
        for output, message in ((self.output, self.message), (plain, self.message[:1500]), ({}, self.message[:1500])):
            short = dataclasses.replace(self, output=output, message=message)
            text = json.dumps(dataclasses.asdict(short), sort_keys=True)
            if len(text.encode()) <= MAX_RESULT_BYTES:
                break
        return text

    @classmethod
    def from_text(cls, text: str) -> Self | None:
        """The result in a termination message, or None where the message is something else."""
        try:
            raw = json.loads(text)
            result = cls(**{one.name: raw[one.name] for one in dataclasses.fields(cls) if one.name in raw})
        except (ValueError, TypeError):
            return None
        return result if result._is_sane() else None

    def _is_sane(self) -> bool:
        """Whether what stands in the words is of the kind that it should be: any image may leave some."""
        words = isinstance(self.message, str) and isinstance(self.reason, str) and bool(_REASON.fullmatch(self.reason))
        return words and (self.step is None or _is_step(self.step)) and isinstance(self.output, dict)
