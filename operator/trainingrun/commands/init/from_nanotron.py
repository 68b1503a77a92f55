"""A nanotron configuration as the base model of a run: its data, its tokenizer, its configuration as it is."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

from trainingrun.commands.init.config_file import ConfigFile
from trainingrun.commands.init.gang_size import Part, World
from trainingrun.commands.init.notices import Notice, assumed, changed, lost

# Columns that hold the text in data sets that are known by name; text in all others.
TEXT_KEYS: Final[Mapping[str, str]] = {"starcoder": "content", "the-stack": "content", "stack-edu": "content"}
_TOKENS: Final = re.compile(r"[-_.]?token[a-z]*([-_.][a-z0-9]+)*$|^\d+[-_]token.*$", re.IGNORECASE)
_MOST: Final = 64  # sources of a run
_MODEL: Final = "model.model_config."


def base_model(file: ConfigFile) -> Part:
    """spec.tokenizer, spec.data and spec.pretrain.config of a configuration."""
    config = copy.deepcopy(file.content)
    tokenizer = _tokenizer(file)
    data = _data(file, config)
    fields = {**tokenizer.fields, **data.fields, "config": config}
    return Part(fields, (*tokenizer.notices, *data.notices))


def world(file: ConfigFile) -> World | None:
    """How many processes the configuration asks for; None where it doesn't say."""
    sizes = [file.get(f"parallelism.{one}") for one in ("dp", "tp", "pp")]
    if not all(type(one) is int and one > 0 for one in sizes):
        return None
    dp, tp, pp = sizes
    words = f"{file.where('parallelism.dp')} asks for dp·tp·pp = {dp}·{tp}·{pp} = {dp * tp * pp} processes"
    return World(dp * tp * pp, words)


def run_name(file: ConfigFile) -> str | None:
    """The name that the configuration gives its run."""
    found = file.get("general.run") or file.get("general.project")
    return found if isinstance(found, str) else None


def is_nanotron(file: ConfigFile) -> bool:
    """Whether a file is a nanotron configuration, by its sections."""
    return isinstance(file.get("model.model_config"), dict) or isinstance(file.get("parallelism"), dict)


def _tokenizer(file: ConfigFile) -> Part:
    path = "tokenizer.tokenizer_name_or_path"
    given = file.get(path)
    if not isinstance(given, str) or not given:
        notice = assumed(
            f"{file.name} names no tokenizer: put yours into models/tokenizer on the volume, or name its folder.",
            "spec.tokenizer.path",
        )
        return Part({"tokenizer": {"path": "models/tokenizer"}}, (notice,))
    if given.startswith("/"):
        return Part({"tokenizer": {"path": given}}, ())
    folder = f"models/{given.strip('./')}"
    notice = assumed(
        f"{file.where(path)} names the tokenizer {given}, of the hub or of another machine: put it into {folder} on "
        "the volume.",
        "spec.tokenizer.path",
    )
    return Part({"tokenizer": {"path": folder}}, (notice,))


def _data(file: ConfigFile, config: dict[str, Any]) -> Part:
    """Sources out of the token folders of all data stages; the stages then name the sources."""
    stages = config.get("data_stages")
    found = stages if isinstance(stages, list) else [{"data": config["data"]}] if "data" in config else []
    datasets = [_dataset(stage) for stage in found]
    folders = list(dict.fromkeys(one for dataset in datasets for one in _folders(dataset)))
    sources: dict[str, str] = {}
    for folder in folders:
        name, path = source_of(folder)
        sources.setdefault(name, path)
    if not sources:
        return _no_data(file)
    weights = [_weights(dataset) for dataset in datasets]
    shares = weights[0] if len(weights) == 1 else None
    if shares is not None:
        sources = {name: path for name, path in sources.items() if shares[name] > 0} or sources
    notices = list(_said(file, folders, sources, weights))
    if len(found) == 1:
        _forget_folders(found[0]["data"])
    else:
        for dataset, mix in zip(datasets, weights, strict=True):
            _name_sources(dataset, mix)
    data = [_source(name, path, (shares or {}).get(name)) for name, path in list(sources.items())[:_MOST]]
    return Part({"data": data}, tuple(notices))


def _no_data(file: ConfigFile) -> Part:
    notice = assumed(
        f"{file.name} names no folders of tokens: put parquet files with a column text into raw/text on the volume, or "
        "name your own sources.",
        "spec.data",
    )
    return Part({"data": [{"name": "text", "path": "raw/text"}]}, (notice,))


def _dataset(stage: Any) -> dict[str, Any]:
    data = stage.get("data") if isinstance(stage, dict) else None
    found = data.get("dataset") if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}


def _folders(dataset: Mapping[str, Any]) -> list[str]:
    given = dataset.get("dataset_folder")
    if isinstance(given, dict):  # with weights as its values, as older configurations have it
        return [str(one) for one in given]
    return [given] if isinstance(given, str) else [str(one) for one in given] if isinstance(given, list) else []


def _weights(dataset: Mapping[str, Any]) -> dict[str, float] | None:
    """The weight of each source of a stage, None where it gives none."""
    folders, given = _folders(dataset), dataset.get("dataset_weights")
    if isinstance(dataset.get("dataset_folder"), dict):
        given = list(dataset["dataset_folder"].values())
    if not isinstance(given, list) or len(given) != len(folders) or not all(_is_number(one) for one in given):
        return None
    sums: dict[str, float] = {}
    for folder, weight in zip(folders, given, strict=True):
        name = source_of(folder)[0]
        sums[name] = sums.get(name, 0.0) + weight
    return sums


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def source_of(folder: str) -> tuple[str, str]:
    """The name and the likely folder of the text whose tokens lie in a folder, such as web/000_tokenized_output."""
    scheme, separator, inside = folder.rpartition("://")
    parts = [one for one in PurePosixPath(inside).parts if one != ".."]
    while len(parts) > 1 and (_TOKENS.fullmatch(parts[-1]) or re.fullmatch(r"\d+", parts[-1])):
        parts.pop()
    if parts:
        parts[-1] = _TOKENS.sub("", parts[-1]) or parts[-1]
    path = str(PurePosixPath(*parts)) if parts else "raw/text"
    return source_name(PurePosixPath(path).name), scheme + separator + path


def source_name(text: str) -> str:
    """A text as a source may be called."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-") or "text"


def _source(name: str, path: str, weight: float | None) -> dict[str, Any]:
    key = next((key for known, key in TEXT_KEYS.items() if known in name), None)
    return {
        "name": name,
        "path": path,
        **({"textKey": key} if key else {}),
        "weight": 1.0 if weight is None else round(weight, 6),
    }


def _forget_folders(data: dict[str, Any]) -> None:
    """The only stage is served all of spec.data by its weights, which is what its folders have become."""
    for key in ("dataset_folder", "dataset_weights"):
        data["dataset"].pop(key, None)
    if not data["dataset"]:
        del data["dataset"]


def _name_sources(dataset: dict[str, Any], mix: dict[str, float] | None) -> None:
    """A stage's folders as names of spec.data, by which it is served its own mix."""
    names = dict.fromkeys(source_of(folder)[0] for folder in _folders(dataset))
    if not names:
        return
    dataset["dataset_folder"] = list(names)
    dataset.pop("dataset_weights", None)
    if mix is not None:
        dataset["dataset_weights"] = [mix[name] for name in names]


def _said(
    file: ConfigFile, folders: Sequence[str], sources: Mapping[str, str], weights: Sequence[dict[str, float] | None]
) -> Iterator[Notice]:
    line = next((one for one in file.lines if one.endswith("dataset_folder")), "")
    shown = ", ".join(f"{name} ({path})" for name, path in list(sources.items())[:8])
    yield changed(
        f"{file.where(line)} names {len(folders)} folders of tokens, but a run makes tokens out of text by itself: the "
        f"text is taken to lie in {shown}; say where it is, and in which column (textKey).",
        "spec.data",
    )
    if any(one is None for one in weights):
        yield assumed(
            f"{file.where(line)} has no dataset_weights, and how large the folders are isn't known: each source has "
            "the weight 1; trainingrun estimate says how many tokens each has.",
            "spec.data",
        )
    if len(sources) > _MOST:
        yield lost(f"{file.where(line)} makes {len(sources)} sources, but a run has {_MOST} at most.", "spec.data")
