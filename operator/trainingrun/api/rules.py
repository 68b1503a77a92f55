"""RULES: what the schema alone can't say, each once as CEL for the API server and as Python for everybody else."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from trainingrun.api.names import MAX_RUN_NAME
from trainingrun.api.notes import Note
from trainingrun.api.training_run import TrainingRun


@dataclass(frozen=True)
class Rule:
    """One rule: it holds, or its message names the mend."""

    path: str  # where in the object it stands, for example spec.storage; "" for the whole object
    cel: str  # over `self` at that place
    message: str
    holds: Callable[[TrainingRun], bool]


RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "",
        f"size(self.metadata.name) <= {MAX_RUN_NAME}",
        f"The name is too long for the objects made from it: use at most {MAX_RUN_NAME} characters.",
        lambda run: len(run.metadata.name) <= MAX_RUN_NAME,
    ),
    Rule(
        "spec.storage",
        "has(self.claimName) != has(self.claim)",
        "Give either claimName, an existing claim, or claim, one to make.",
        lambda run: (run.spec.storage.claim_name is None) != (run.spec.storage.claim is None),
    ),
)


def violations(run: TrainingRun) -> tuple[Note, ...]:
    """The rules that a run breaks, as errors."""
    return tuple(Note("error", rule.path or "metadata.name", rule.message) for rule in RULES if not rule.holds(run))
