"""nanotron's data_stages as mixes of a run's own sources: folders become names of spec.data."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from trainingrun.api.key_kinds import shown
from trainingrun.api.key_table import Reading
from trainingrun.api.nanotron_keys import STAGE_TABLE
from trainingrun.api.nanotron_types import DataStageRequest, PretrainContext
from trainingrun.api.notes import Note, error, translated, warning

FIRST_STAGE = "all data"  # the name of the only stage where a configuration has none
_MOST_NAMED = 3  # folders that a message names


@dataclass(frozen=True)
class Stages:
    """The data stages of a run in their order, and what is to be said about them."""

    stages: tuple[DataStageRequest, ...]
    notes: tuple[Note, ...]


def read_stages(raw: Any, context: PretrainContext, seed: int, total_steps: int | None) -> Stages:
    """The stages of `data_stages`; one of all sources where `raw` is None. `seed` serves stages without their own."""
    if raw is None:
        return Stages((DataStageRequest(FIRST_STAGE, 1, seed, context.sources),), ())
    if not isinstance(raw, list) or not raw or not all(isinstance(item, dict) for item in raw):
        message = f"data_stages is {shown(raw)}, but takes a list of stages, each with name, start_training_step, data."
        return Stages((), (error("data_stages", message),))
    notes: list[Note] = []
    stages: list[DataStageRequest] = []
    for index, item in enumerate(raw):
        prefix = f"data_stages[{index}]."
        reading = STAGE_TABLE.read(item, prefix)
        notes.extend(reading.notes)
        if not reading.wrong:
            sources, said = _sources(reading, prefix, context)
            notes.extend(said)
            values = reading.values
            stage_seed = values.get("data.seed", seed)
            stages.append(DataStageRequest(values["name"], values["start_training_step"], stage_seed, sources))
    stages.sort(key=lambda stage: stage.start_step)
    if len(stages) == len(raw):
        notes.extend(_order(stages, total_steps))
    return Stages(tuple(stages), tuple(notes))


def _order(stages: Sequence[DataStageRequest], total_steps: int | None) -> Iterator[Note]:
    if stages[0].start_step != 1:
        yield error(
            "data_stages",
            f"data_stages starts at step {stages[0].start_step}, so that steps before have no data: give a stage "
            "start_training_step: 1.",
        )
    for one, other in zip(stages, stages[1:], strict=False):
        if one.start_step == other.start_step:
            yield error(
                "data_stages",
                f"data_stages {one.name!r} and {other.name!r} both start at step {one.start_step}: move one of them.",
            )
    names = [stage.name for stage in stages]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield error("data_stages", f"data_stages has several stages called {name!r}: rename all but one.")
    for stage in stages:
        if total_steps is not None and stage.start_step > total_steps:
            yield warning(
                "data_stages",
                f"data_stages {stage.name!r} starts at step {stage.start_step:,}, which a run of {total_steps:,} steps "
                "never reaches: lower start_training_step or raise tokens.train_steps.",
            )


Weighted = tuple[tuple[str, float], ...]


def _sources(reading: Reading, prefix: str, context: PretrainContext) -> tuple[Weighted, list[Note]]:
    folders: tuple[str, ...] = reading.values.get("data.dataset.dataset_folder", ())
    weights: tuple[float, ...] | None = reading.values.get("data.dataset.dataset_weights")
    path = f"{prefix}data.dataset.dataset_folder"
    if not folders:
        message = f"{path} names no folder, so all of spec.data is served by its weights."
        return context.sources, [translated(path, message)]
    if weights is not None and len(weights) != len(folders):
        message = (
            f"{prefix}data.dataset.dataset_weights has {len(weights)} weights for {len(folders)} folders: give each "
            "folder one."
        )
        return context.sources, [error(f"{prefix}data.dataset.dataset_weights", message)]
    found = [_source_of(folder, context) for folder in folders]
    lost = [folder for folder, name in zip(folders, found, strict=True) if name is None]
    if lost:
        return context.sources, [_unmatched(path, folders, lost, weights, context)]
    names = [name for name in found if name is not None]
    return _mixed(names, weights, context), [_matched(path, names, weights)]


def _mixed(names: Sequence[str], weights: tuple[float, ...] | None, context: PretrainContext) -> Weighted:
    if weights is None:
        return tuple((name, weight) for name, weight in context.sources if name in names)
    sums = {name: 0.0 for name in names}
    for name, weight in zip(names, weights, strict=True):
        sums[name] += weight
    return tuple((name, weight) for name, weight in sums.items() if weight > 0.0)


def _matched(path: str, names: Sequence[str], weights: tuple[float, ...] | None) -> Note:
    mix = "spec.data's weights, as there is no dataset_weights" if weights is None else "dataset_weights"
    distinct = ", ".join(dict.fromkeys(names))
    return translated(path, f"{path}: its {len(names)} folders are served as spec.data's {distinct}, mixed by {mix}.")


def _unmatched(
    path: str,
    folders: Sequence[str],
    lost: Sequence[str],
    weights: tuple[float, ...] | None,
    context: PretrainContext,
) -> Note:
    some = ", ".join(lost[:_MOST_NAMED]) + ("…" if len(lost) > _MOST_NAMED else "")
    what = f"{path}: {len(lost)} of {len(folders)} folders ({some[:300]}) have no source in spec.data"
    mend = f"call sources like the folders to say which (there are {', '.join(name for name, _ in context.sources)})"
    if weights is not None and len(lost) < len(folders):
        return error(path, f"{what}, so that dataset_weights cannot be kept: {mend}, or remove the folders.")
    return warning(path, f"{what}, so all of spec.data is served by its own weights: {mend[:400]}.")


def _source_of(folder: str, context: PretrainContext) -> str | None:
    """The source that a folder belongs to: the last part of its path that is a source's name or its path's last."""
    by_name = {_spelled(path.rstrip("/").rpartition("/")[2]): name for (name, _), path in _with_paths(context)}
    by_name |= {_spelled(name): name for name, _ in context.sources}
    return next((by_name[part] for part in map(_spelled, reversed(folder.split("/"))) if part in by_name), None)


def _with_paths(context: PretrainContext) -> list[tuple[tuple[str, float], str]]:
    return list(zip(context.sources, context.source_paths, strict=False))


def _spelled(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")
