"""RULES of an engine of the user's own, and what of it goes into the name of the checkpoints' folder."""

from collections.abc import Iterable
from typing import Final

from trainingrun.api.custom_engine import OWN_VARIABLES, Custom
from trainingrun.api.rule import Rule
from trainingrun.api.training import Pretrain

# With CEL that stands for what is left out; the policy lets none of it change once pretraining has started.
NAMED_BY: Final = {
    "image": "''",
    "command": "[]",
    "args": "[]",
    "steps": "0",
    "tokensPerStep": "0",
    "sequenceLength": "0",
    "vocabSize": "0",
    "seed": str(Custom.model_fields["seed"].default),
}


def _told_when_saved(pretrain: Pretrain) -> bool:
    """Whether the run itself says when a custom engine saves."""
    checkpoints = pretrain.checkpoints
    return pretrain.custom is None or (checkpoints.every is not None and checkpoints.interval is None)


def _takes_whole_samples(pretrain: Pretrain) -> bool:
    """Whether a step of a custom engine is a whole number of samples."""
    custom = pretrain.custom
    return custom is None or custom.tokens_per_step % custom.sequence_length == 0


def _custom_variables(pretrain: Pretrain) -> Iterable[str]:
    """Names of the variables that a custom engine is given."""
    return pretrain.custom.env if pretrain.custom is not None else ()


CUSTOM_RULES: Final[tuple[Rule, ...]] = (
    Rule(
        "spec.pretrain",
        "has(self.custom) == (has(self.engine) && self.engine == 'custom')",
        "custom says what engine custom runs: give custom with engine: custom, and with no other engine.",
        lambda run: (run.spec.pretrain.custom is not None) == (run.spec.pretrain.engine == "custom"),
    ),
    Rule(
        "spec.pretrain",
        "!has(self.custom) || "
        "(has(self.checkpoints) && has(self.checkpoints.every) && !has(self.checkpoints.interval))",
        "The operator can't read a custom engine's configuration: give checkpoints.every, and leave "
        "checkpoints.interval out.",
        lambda run: _told_when_saved(run.spec.pretrain),
    ),
    Rule(
        "spec.pretrain.custom",
        "self.tokensPerStep % self.sequenceLength == 0",
        "A step takes whole samples: make tokensPerStep a multiple of sequenceLength.",
        lambda run: _takes_whole_samples(run.spec.pretrain),
    ),
    Rule(
        "spec.pretrain.custom",
        "!has(self.env) || self.env.all(name, "
        + " && ".join(f"!name.startsWith('{one}')" for one in OWN_VARIABLES)
        + ")",
        f"env names a variable that the operator sets: leave out those that begin with {' or '.join(OWN_VARIABLES)}.",
        lambda run: not any(name.startswith(OWN_VARIABLES) for name in _custom_variables(run.spec.pretrain)),
    ),
)
