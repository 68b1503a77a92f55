"""Which stages a run has, in order, and what each waits for."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from trainingrun.api.judging import BASE, Judge
from trainingrun.api.names import TUNING_KINDS
from trainingrun.api.results import Variant
from trainingrun.api.training_run import TrainingRunSpec

GANG_KINDS: Final = frozenset({"pretrain", *TUNING_KINDS})  # PyTorchJobs; all others are Jobs
BATCH_KINDS: Final = frozenset({"convert", "evaluate"})  # work through checkpoints, while pretraining goes on


@dataclass(frozen=True)
class Instance:
    """One stage of a run."""

    name: str
    kind: str
    variant: str | None
    needs: tuple[str, ...]  # stages that must have succeeded, that of the model first; a following stage starts earlier
    follows: str | None = None  # the stage whose checkpoints it works through while that goes on
    position: int | None = None  # of the stage in its variant's chain, that it is or prepares, from 0

    @property
    def is_gang(self) -> bool:
        """Whether its attempts are PyTorchJobs."""
        return self.kind in GANG_KINDS


def instance_name(kind: str, variant: str | None = None, number: int = 1) -> str:
    """The stage's name: its kind, kind-variant, or kind-variant-2 for the second of a kind in the variant's chain."""
    name = kind if variant is None else f"{kind}-{variant}"
    return name if number == 1 else f"{name}-{number}"


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
    variants = [one for variant in spec.variants for one in _variant(variant, evaluated)]
    made = (*base, *variants, *_comparison(spec, variants))
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


def _comparison(spec: TrainingRunSpec, variants: Iterable[Instance]) -> tuple[Instance, ...]:
    """Other models' scores, and what compares them with all of the run's own; nothing where nothing is evaluated."""
    if spec.evaluate is None:
        return ()
    # As soon as the run's data are there, so that a model that is missing is known of before weeks of training.
    compared = [Instance("compare", "compare", None, ("tokenize",))] if spec.evaluate.compare_with else []
    evaluated = [one.name for one in variants if one.kind == "evaluate"]
    needs = ("pretrain", "evaluate", *evaluated, *(one.name for one in compared))
    return (*compared, Instance("report", "report", None, needs))


def _variant(variant: Variant, evaluated: bool) -> tuple[Instance, ...]:
    stages = list(_chain(variant))
    if not stages:
        return ()
    last, name = stages[-1].name, variant.name
    needs: tuple[str, ...] = (last,)
    if evaluated:
        stages.append(Instance(instance_name("evaluate", name), "evaluate", name, (last,)))
        needs = (last, instance_name("evaluate", name))
    stages.append(Instance(instance_name("release", name), "release", name, needs))
    return tuple(stages)


def _chain(variant: Variant) -> Iterator[Instance]:
    """The variant's own stages; one that trains on GPUs has its data prepared by another, which needs none.

    The first of a variant with a base of its own waits for nothing of this run.
    """
    before = () if variant.base is not None else ("convert",)
    for position, (kind, name) in enumerate(chain_names(variant)):
        needs: tuple[str, ...] = before
        if variant.stages[position].tuning.gpus_per_node > 0:
            prepare = instance_name("prepare", name)
            yield Instance(prepare, "prepare", variant.name, needs, position=position)
            needs = (*before, prepare)
        yield Instance(name, kind, variant.name, needs, position=position)
        before = (name,)


def chain_names(variant: Variant) -> Iterator[tuple[str, str]]:
    """Kind and name of each of a variant's own stages; those that break the rules by having no kind end it."""
    seen: list[str] = []
    for stage in variant.stages:
        if not stage.kinds:
            return
        seen.append(stage.kinds[0])
        yield seen[-1], instance_name(seen[-1], variant.name, seen.count(seen[-1]))


def starts_from(instance: Instance) -> str | None:
    """The stage whose model one of a variant's chain starts from; None where the variant has a base of its own."""
    return next((name for name in instance.needs if not name.startswith("prepare-")), None)


def prepared_for(prepare: Instance, of: tuple[Instance, ...]) -> Instance:
    """The stage, out of all of a run, whose data another prepares."""
    return next(one for one in of if prepare.name in one.needs)


def chain(variant: str, of: tuple[Instance, ...]) -> tuple[Instance, ...]:
    """The stages, out of all of a run, that train a variant's model, in order."""
    return tuple(one for one in of if one.variant == variant and one.kind in TUNING_KINDS)
