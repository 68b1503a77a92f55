"""What differs between runs: settings, and what came out. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from trainingrun.commands.figures import TRAINED, Measured, stages

Rows = dict[str, dict[str, Any]]  # by what is compared, then by the run's name


def settings(runs: Sequence[Measured]) -> Rows:
    """The settings of the spec that are not the same in all runs, by their path; None where a run has none."""
    flat = {run.name: dict(flattened(_lasting(run.run["spec"]))) for run in runs}
    paths = dict.fromkeys(path for found in flat.values() for path in found)
    rows = {path: {name: found.get(path) for name, found in flat.items()} for path in paths}
    return {path: row for path, row in rows.items() if any(value != row[runs[0].name] for value in row.values())}


def _lasting(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    # A run that was resumed has `suspend: false`, one that never stood still has none.
    return {key: value for key, value in spec.items() if key != "suspend" or value}


def flattened(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each value below another by its path: pretrain.config.optimizer.weight_decay, data[english].weight."""
    if isinstance(value, Mapping) and value:
        for key, one in value.items():
            yield from flattened(one, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
        for number, one in enumerate(value):
            yield from flattened(one, f"{path}[{one.get('name', number)}]")
    else:
        yield path, value


def results(runs: Sequence[Measured]) -> Rows:
    """What came out of each run: where it stands, tokens, losses, speed, time and GPU-hours."""
    rows = {
        "phase": {run.name: run.status.get("phase") for run in runs},
        "seconds": {run.name: _seconds(run) for run in runs},
        "restarts": {run.name: run.status.get("restarts") for run in runs},
        "gpuHours.useful": {run.name: _gpu_hours(run, "useful") for run in runs},
        "gpuHours.lost": {run.name: _gpu_hours(run, "lost") for run in runs},
    }
    for name in dict.fromkeys(one["name"] for run in runs for one in stages(run.run, TRAINED)):
        for key in ("steps", "tokens", "tokensPerSecond", "firstLoss", "lastLoss", "bestLoss"):
            rows[f"{name}.{key}"] = {run.name: run.summary(name).get(key) for run in runs}
    return {key: row for key, row in rows.items() if any(value is not None for value in row.values())}


def scores(runs: Sequence[Measured]) -> Rows:
    """The scores of the base models' newest evaluated checkpoints, and of variants, by VARIANT: TASK/METRIC."""
    found = {run.name: dict(_scores(run)) for run in runs}
    names = dict.fromkeys(name for one in found.values() for name in one)
    return {name: {run.name: found[run.name].get(name) for run in runs} for name in names}


def _scores(run: Measured) -> Iterator[tuple[str, Any]]:
    checkpoints = run.checkpoints()
    if checkpoints:
        step = max(checkpoints)
        yield "step", step
        yield from checkpoints[step].items()
    for stage, told in run.scores.items():
        variant = stage.removeprefix("evaluate").removeprefix("-")
        for model in (told.get("models") or {}).values() if variant else ():
            yield from ((f"{variant}: {name}", value) for name, value in model.items())


def _seconds(run: Measured) -> float | None:
    """From the first attempt's start to the last stage's end, of a run that has ended."""
    known = run.status.get("stages") or ()
    begun = [one["startedAt"] for one in known if one.get("startedAt")]
    ended = [one["finishedAt"] for one in known if one.get("finishedAt")]
    if not begun or len(ended) < len(known):
        return None
    return (datetime.fromisoformat(max(ended)) - datetime.fromisoformat(min(begun))).total_seconds()


def _gpu_hours(run: Measured, which: str) -> float | None:
    told = run.status.get("gpuHours")
    if told is None:
        return None
    value = told.get(which, 0.0)
    return round(sum(value.values()), 4) if isinstance(value, Mapping) else value
