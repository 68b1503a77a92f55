"""What a rule of the resource is."""

from collections.abc import Callable
from dataclasses import dataclass

from trainingrun.api.training_run import TrainingRun


@dataclass(frozen=True)
class Rule:
    """One rule: it holds, or its message names the mend."""

    path: str  # where in the object it stands, for example spec.storage or spec.data[]; "" for the whole object
    cel: str | None  # over `self` at that place; None where the place's list type makes the API server hold it
    message: str
    holds: Callable[[TrainingRun], bool]
    untyped: bool = False  # reads an engine's configuration: for the admission policy, over `object`
