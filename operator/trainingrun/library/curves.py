"""Training curves off a run's volume, as rows or as a data frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from trainingrun.commands.manifest import NOT_FOUND, CommandError

if TYPE_CHECKING:
    from trainingrun.commands.volume_visit import Visit

SERIES: Final = {
    "loss": "loss", "learningRate": "learning_rate", "gradientNorm": "gradient_norm",
    "tokensPerSecond": "tokens_per_second",
}  # fmt: skip
COLUMNS: Final = (*SERIES.values(), "tokens")

Row = dict[str, Any]
Volumes = Callable[[str], "Visit"]


def volumes(namespace: str, context: str | None, kubeconfig: str | None, image: str | None) -> Volumes:
    """What makes a visit to a claim of a namespace."""
    from trainingrun.commands.volume_pod import Kubectl
    from trainingrun.commands.volume_visit import Visit

    kubectl = Kubectl(namespace, context, kubeconfig)
    return lambda claim: Visit(kubectl, claim, image)


def of_volume(run: Mapping[str, Any], stage: str, visit: Volumes) -> list[Row]:
    """The rows of a stage's curve; CommandError where the run has no such stage that trains."""
    from trainingrun.commands.figures import TRAINED, measured, stages

    names = [one["name"] for one in stages(run, TRAINED)]
    if stage not in names:
        has = f"it has {', '.join(names)}" if names else "the operator has not seen it yet"
        raise CommandError(f"The run {run['metadata']['name']} has no stage {stage} that trains: {has}.", NOT_FOUND)
    (found,) = measured([run], visit)
    return rows({key: found.series(stage, key) for key in SERIES})


def rows(series: Mapping[str, Sequence[tuple[int, float, int | None]]]) -> list[Row]:
    """A row for each step that any of the series has, ascending; what a series lacks there is left out."""
    made: dict[int, Row] = {}
    for key, points in series.items():
        for step, value, tokens in points:
            row = made.setdefault(step, {"step": step})
            row[SERIES[key]] = value
            if tokens is not None:
                row["tokens"] = tokens
    return [made[step] for step in sorted(made)]


def framed(found: list[Row], columns: Sequence[str]) -> Any:
    """A data frame with `step` as its index, or the rows as they are where pandas isn't installed."""
    try:
        import pandas
    except ImportError:
        return found
    frame = pandas.DataFrame(found, columns=["step", *columns])
    return frame.set_index("step")
