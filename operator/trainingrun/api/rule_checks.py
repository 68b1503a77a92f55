"""What rules of the resource ask of a run, as plain predicates."""

from collections.abc import Iterable
from typing import Final

from trainingrun.api.judging import BASE
from trainingrun.api.names import MAX_REPEATING_NAME
from trainingrun.api.results import Variant
from trainingrun.api.training_run import TrainingRun, TrainingRunSpec

ADDRESSES: Final = ("hf://", "s3://")


def unique(names: Iterable[str]) -> bool:
    """Whether no name stands twice."""
    found = list(names)
    return len(found) == len(set(found))


def inside(path: str) -> bool:
    """Whether a path does not lead upwards."""
    return ".." not in path.split("/")


def addressed(path: str) -> bool:
    """Whether a path has no scheme, or one that data may have."""
    return "://" not in path or path.startswith(ADDRESSES)


def in_volume(path: str | None) -> bool:
    """Whether a path is none, or one on the run's volume."""
    return path is None or (inside(path) and "://" not in path)


def one_secret_each(run: TrainingRun) -> bool:
    """Whether the sources of each kind of address name one Secret at most."""
    named = {(scheme, one.secret_name) for one in run.spec.data for scheme in ADDRESSES if one.path.startswith(scheme)}
    return unique(scheme for scheme, secret in named if secret is not None)


def evaluates_saved_steps(spec: TrainingRunSpec) -> bool:
    """Whether checkpoints that are to be evaluated are written, as pretrain.checkpoints says."""
    chosen = spec.evaluate.checkpoints if spec.evaluate is not None else None
    saved = spec.pretrain.checkpoints.every
    return chosen is None or saved is None or chosen.every % saved == 0


def evaluates_engine_steps(spec: TrainingRunSpec) -> bool:
    """The same where nanotron's own key says when checkpoints are written."""
    chosen = spec.evaluate.checkpoints if spec.evaluate is not None else None
    section = spec.pretrain.config.get("checkpoints")
    saved = section.get("checkpoint_interval") if isinstance(section, dict) else None
    if chosen is None or spec.pretrain.checkpoints.every is not None or type(saved) is not int or saved < 1:
        return True
    return chosen.every % saved == 0


def keeps_saved_steps(spec: TrainingRunSpec) -> bool:
    """Whether checkpoints that are to be kept are written."""
    checkpoints = spec.pretrain.checkpoints
    return (
        checkpoints.keep_every is None or checkpoints.every is None or checkpoints.keep_every % checkpoints.every == 0
    )


def judges_known_models(spec: TrainingRunSpec) -> bool:
    """Whether the judge is given models that the run makes, or paths."""
    known = {BASE, *(one.name for one in spec.variants)}
    return spec.judge is None or all(one.path is not None or one.name in known for one in spec.judge.between)


def fits(variant: Variant) -> bool:
    """Whether a variant's name leaves room for the numbers of its stages."""
    kinds = [kind for stage in variant.stages for kind in stage.kinds]
    return unique(kinds) or len(variant.name) <= MAX_REPEATING_NAME


def confusable(run: TrainingRun) -> bool:
    """Whether a stage of one variant would be called as one of another is."""
    names = {variant.name for variant in run.spec.variants}
    chains = [variant.name for variant in run.spec.variants if len(variant.stages) > 1]
    return any(f"{name}-{number}" in names for name in chains for number in range(2, 7))
