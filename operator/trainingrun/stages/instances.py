"""Which stages a run has, in order, and what each waits for."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from trainingrun.api.judging import BASE, Judge
from trainingrun.api.training_run import TrainingRunSpec

GANG_KINDS: Final = frozenset({"pretrain", "sft"})  # PyTorchJobs; all others are Jobs
BATCH_KINDS: Final = frozenset({"convert", "evaluate"})  # work through checkpoints, while pretraining goes on


@dataclass(frozen=True)
class Instance:
    """One stage of a run."""

    name: str
    kind: str
    variant: str | None
    needs: tuple[str, ...]  # stages that must have succeeded; a following stage starts earlier
    follows: str | None = None  # the stage whose checkpoints it works through while that goes on

    @property
    def is_gang(self) -> bool:
        """Whether its attempts are PyTorchJobs."""
        return self.kind in GANG_KINDS


def instance_name(kind: str, variant: str | None = None) -> str:
    """The stage's name: its kind, or kind-variant."""
    return kind if variant is None else f"{kind}-{variant}"


def instances(spec: TrainingRunSpec) -> tuple[Instance, ...]:
    """All stages of a run, each after those that it needs."""
    evaluated = spec.evaluate is not None
    base = [
        Instance("tokenize", "tokenize", None, ()),
        Instance("pretrain", "pretrain", None, ("tokenize",)),
        Instance("convert", "convert", None, (), follows="pretrain"),
    ]
    if evaluated:
        base.append(Instance("evaluate", "evaluate", None, (), follows="convert"))
    base.append(Instance("release", "release", None, ("convert", "evaluate") if evaluated else ("convert",)))
    variants = [one for variant in spec.variants for one in _variant(variant.name, evaluated)]
    made = (*base, *variants, *_comparison(spec))
    return made if spec.judge is None else (*made, _judge(spec.judge, made))


def maker(stages: Iterable[Instance], model: str) -> Instance | None:
    """The stage that makes one of the run's models, which may be called base; None where there is no such model."""
    found = {one.name: one for one in stages}
    variant = None if model == BASE else model
    released = next((one for one in found.values() if one.kind == "release" and one.variant == variant), None)
    return found[released.needs[0]] if released is not None else None


def _judge(judge: Judge, others: tuple[Instance, ...]) -> Instance:
    """The judge waits for what makes the models, not for their release: a licence that changes asks nothing again."""
    makers = (maker(others, one.name) for one in judge.between if one.path is None)
    return Instance("judge", "judge", None, tuple(dict.fromkeys(one.name for one in makers if one is not None)))


def _comparison(spec: TrainingRunSpec) -> tuple[Instance, ...]:
    """Other models' scores, and what compares them with all of the run's own; nothing where nothing is evaluated."""
    if spec.evaluate is None:
        return ()
    # As soon as the run's data are there, so that a model that is missing is known of before weeks of training.
    compared = [Instance("compare", "compare", None, ("tokenize",))] if spec.evaluate.compare_with else []
    evaluated = [instance_name("evaluate", variant.name) for variant in spec.variants]
    needs = ("pretrain", "evaluate", *evaluated, *(one.name for one in compared))
    return (*compared, Instance("report", "report", None, needs))


def _variant(name: str, evaluated: bool) -> tuple[Instance, ...]:
    sft = instance_name("sft", name)
    stages = [Instance(sft, "sft", name, ("convert",))]
    needs: tuple[str, ...] = (sft,)
    if evaluated:
        stages.append(Instance(instance_name("evaluate", name), "evaluate", name, (sft,)))
        needs = (sft, instance_name("evaluate", name))
    stages.append(Instance(instance_name("release", name), "release", name, needs))
    return tuple(stages)
