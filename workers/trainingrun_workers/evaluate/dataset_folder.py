"""The data sets of tasks on the volume: hub `org/name` is read from `<folder>/org/name`, whatever task asks for it.

A data set's folder may be what `hf download --repo-type dataset org/name --local-dir …` leaves, at the hub's
`refs/convert/parquet` too, or files laid there by hand: a configuration's in a folder of its name, a split's with its
name in theirs (`it/test.jsonl`, `it/test/0000.parquet`, `data/train-00000-of-00001.parquet`). lm-eval is given the
files themselves, so that neither its cache nor the hub has a say.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from trainingrun_workers.errors import BadData

READERS: Final = {".parquet": "parquet", ".jsonl": "json", ".json": "json", ".csv": "csv"}
_VALIDATION: Final = ("validation", "val", "valid", "dev")
_NAMES: Final = {"train": ("train",), "test": ("test",), **dict.fromkeys(_VALIDATION, _VALIDATION)}
_NO_DATA: Final = frozenset({"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"})

Files = dict[str, list[Path]]  # by split


@dataclass
class DatasetFolder:
    """The folder, and which of its files each task's definition was led to."""

    root: Path
    _used: dict[str, set[Path]] = field(default_factory=dict)  # by the task in the manifest
    _asked: str = ""

    def reading_for(self, task: str) -> None:
        """Files used from here on belong to this task of the manifest, which may be a group of many."""
        self._asked = task

    def localized(self, config: dict[str, Any]) -> dict[str, Any]:
        """A task's definition that reads the folder's files; what reads no data set of the hub stays as it is.

        BadData, naming the folder, the split and the revision, where they are missing.
        """
        name = config.get("dataset_path")
        has_own = "data_files" in (config.get("dataset_kwargs") or {}) or config.get("custom_dataset")
        if not isinstance(name, str) or name in READERS.values() or has_own:
            return config
        files = self._files(name, config)
        self._used.setdefault(self._asked, set()).update(path for paths in files.values() for path in paths)
        reader = READERS[next(iter(files.values()))[0].suffix]
        listed = {split: [str(path) for path in paths] for split, paths in files.items()}
        return config | {"dataset_path": reader, "dataset_name": None, "dataset_kwargs": {"data_files": listed}}

    def digest(self, task: str) -> str:
        """SHA-256 over the files that a task of the manifest was led to."""
        digest = hashlib.sha256()
        for path in sorted(self._used.get(task, ())):
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()

    def _files(self, name: str, config: Mapping[str, Any]) -> Files:
        folder, subset, splits = self.root / name, config.get("dataset_name"), _splits(config)
        best: Files = {}
        for files in _layouts(folder, subset, splits):
            if len(files) == len(splits):
                return files
            best = max(best, files, key=len)
        missing = next(split for split in splits if split not in best)
        revision = (config.get("metadata") or {}).get("revision", "main")
        part = f"configuration {subset} of data set {name}" if subset else f"data set {name}"
        raise BadData(
            "TaskDataMissing",
            f"Task {config.get('task')} needs split {missing} of {part} (revision {revision} on the hub), but it is "
            f"not in {folder}: put it there, for example as {folder / (subset or '.') / missing}.parquet or .jsonl.",
        )


def _layouts(folder: Path, subset: str | None, splits: list[str]) -> Iterator[Files]:
    """What each way to lay out a data set has of the splits: as its card says, then by names."""
    yield _declared(folder, subset or "default", splits)
    for place in (folder / subset, folder / "data" / subset) if subset else (folder / "default", folder):
        for suffix in READERS:
            files = [path for path in sorted(place.rglob(f"*{suffix}")) if path.name not in _NO_DATA]
            yield _named(place, files, splits)


def _declared(folder: Path, subset: str, splits: list[str]) -> Files:
    """The files that the card's `configs` list for a configuration."""
    card = folder / "README.md"
    front = re.match(r"---\n(.*?)\n---", card.read_text(), re.DOTALL) if card.is_file() else None
    try:
        content = yaml.safe_load(front[1]) if front else None
    except yaml.YAMLError as error:
        text = " ".join(str(error).split())
        raise BadData("TaskDataUnreadable", f"The head of the data set's card {card} is no YAML: {text}") from error
    configs = (content.get("configs") or []) if isinstance(content, dict) else []
    chosen: dict[str, Any] = next((one for one in configs if one.get("config_name") == subset), {})
    listed = chosen.get("data_files") or []
    found: Files = {}
    for one in listed if isinstance(listed, list) else []:
        patterns = one["path"] if isinstance(one["path"], list) else [one["path"]]
        paths = sorted(path for pattern in patterns for path in folder.glob(pattern) if path.suffix in READERS)
        if one["split"] in splits and paths:
            found[one["split"]] = paths
    return found


def _named(place: Path, files: list[Path], splits: list[str]) -> Files:
    """The files by the split that their path names; where none names any, all of them are of split train."""
    words = {path: set(re.split(r"[-_./ ]", path.relative_to(place).as_posix().lower())) for path in files}
    if splits == ["train"] and not any(found & _NAMES.keys() for found in words.values()):
        return {"train": files} if files else {}
    found = {split: [path for path in files if words[path] & set(_NAMES.get(split, (split,)))] for split in splits}
    return {split: paths for split, paths in found.items() if paths}


def _splits(config: Mapping[str, Any]) -> list[str]:
    """The splits that a definition names, without slices."""
    keys = ("training_split", "validation_split", "test_split", "fewshot_split")
    named = [config.get(key) for key in keys]
    fewshot = config.get("fewshot_config")
    named.append(fewshot.get("split") if isinstance(fewshot, dict) else None)
    return list(dict.fromkeys(re.split(r"[\[+]", one)[0] for one in named if isinstance(one, str) and one)) or ["train"]
