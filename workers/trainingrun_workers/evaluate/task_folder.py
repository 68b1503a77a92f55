"""A user's folder of lm-eval tasks, made fit for the harness: YAML files whose data lie beside them.

lm-eval reads relative `dataset_kwargs.data_files` against the process' working directory. Here they are relative to
the task's YAML file: the folder is copied as links, and YAML files with such paths are written anew with absolute ones.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from trainingrun_workers.errors import BadConfig, BadData

_NAMES: Final = ("task", "group", "tag")


class _Function(str):
    """The text behind a `!function` tag."""


class _Loader(yaml.SafeLoader):
    pass


class _Dumper(yaml.SafeDumper):
    pass


def _function(loader: _Loader, node: yaml.ScalarNode) -> _Function:
    return _Function(loader.construct_scalar(node))


_Loader.add_constructor("!function", _function)
_Dumper.add_representer(_Function, lambda dumper, text: dumper.represent_scalar("!function", str(text)))


@dataclass
class TaskFolder:
    """The tasks, groups and tags that a folder defines."""

    source: Path
    prepared: Path
    _data: dict[str, list[Path]] = field(default_factory=dict)  # by the task's name
    _definitions: dict[str, Any] = field(default_factory=dict)  # of tasks and groups, with what they include
    _members: dict[str, list[str]] = field(default_factory=dict)  # of groups and tags

    @classmethod
    def prepare(cls, source: Path, into: Path) -> "TaskFolder":
        """Make the folder's fit copy; BadConfig when there is none or a YAML file can't be read."""
        if not source.is_dir():
            raise BadConfig("TaskFolderMissing", f"There is no task folder at {source}: put one on the volume.")
        folder = cls(source, into)
        for path in sorted(path for path in source.rglob("*") if path.is_file()):
            target = into / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            text = folder._take(path) if path.suffix == ".yaml" else None
            if text is None:
                target.symlink_to(path)
            else:
                target.write_text(text)
        return folder

    def __contains__(self, name: str) -> bool:
        return name in self._definitions or name in self._members

    @property
    def names(self) -> frozenset[str]:
        """The names of its tasks and groups."""
        return frozenset(self._definitions)

    def closed(self, name: str) -> bool:
        """Whether a name is defined here, and for a group or tag all of its members too."""
        return name in self and all(self.closed(one) for one in self._members.get(name, ()) if one != name)

    def digest(self, name: str) -> str | None:
        """SHA-256 over a task's definition, data and Python files, or over a group's members; None if not from here.

        Of a task whose data are there, which `check_data` says.
        """
        if name not in self:
            return None
        digest = hashlib.sha256(json.dumps(self._definitions.get(name), sort_keys=True, default=str).encode())
        for path in self._data.get(name, []):
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        for path in sorted(self.source.rglob("*.py")):
            digest.update(path.read_bytes())
        for one in self._members.get(name, ()):
            digest.update((self.digest(one) or one).encode() if one != name else b"")
        return digest.hexdigest()

    def check_data(self, name: str) -> None:
        """BadData, naming the file, when a task's data are missing or empty."""
        for path in self._data.get(name, []):
            if not path.is_file():
                raise BadData(
                    "TaskDataMissing",
                    f"The data file {path} of task {name} is missing: put it there, or correct data_files in "
                    f"{self.source}.",
                )
            if path.stat().st_size == 0:
                raise BadData("TaskDataEmpty", f"The data file {path} of task {name} is empty: put its rows there.")
        for one in self._members.get(name, ()):
            if one != name:
                self.check_data(one)

    def _take(self, path: Path) -> str | None:
        """Note what a YAML file defines; yields its text with absolute paths where that differs."""
        own, merged = _read(path), _merged(path)
        names = [merged[key] for key in ("task", "group") if isinstance(merged.get(key), str)]
        for name in names[-1:]:  # a group's own `task` is the list of its members
            self._definitions[name] = merged
            for tag in _listed(merged.get("tag")):
                self._members.setdefault(tag, []).append(name)
        if isinstance(merged.get("group"), str):
            self._members.setdefault(merged["group"], []).extend(_named(merged.get("task")))
        options = merged.get("dataset_kwargs")
        if not isinstance(options, dict) or "data_files" not in options:
            return None
        files, found = _absolute(options["data_files"], path.parent)
        for name in names[-1:]:
            self._data[name] = found
        return yaml.dump({**own, "dataset_kwargs": {**options, "data_files": files}}, Dumper=_Dumper, sort_keys=False)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_text(), Loader=_Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        text = " ".join(str(error).split())
        raise BadConfig("TaskFileInvalid", f"The task file {path} can't be read: {text}") from error
    if not isinstance(content, dict):
        raise BadConfig("TaskFileInvalid", f"The task file {path} holds no mapping, so it defines no task.")
    return content


def _merged(path: Path, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    """A YAML file with what it includes, its own keys winning, as the harness reads it."""
    content = _read(path)
    merged: dict[str, Any] = {}
    for include in _listed(content.pop("include", None)):
        included = (path.parent / include).resolve()
        if not included.is_file() or included in seen:
            raise BadConfig(
                "TaskFileInvalid", f"The task file {path} includes {include}, which is missing or in a circle."
            )
        merged |= _merged(included, (*seen, path.resolve()))
    return merged | content


def _listed(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def _named(members: Any) -> Iterator[str]:
    for one in members if isinstance(members, list) else []:
        name = next((one[key] for key in _NAMES if key in one), None) if isinstance(one, dict) else one
        if isinstance(name, str):
            yield name


def _absolute(files: Any, folder: Path) -> tuple[Any, list[Path]]:
    """data_files (a path, a list or a mapping of both) with absolute paths, and the local files in it."""
    if isinstance(files, dict):
        parts = {key: _absolute(value, folder) for key, value in files.items()}
        return {key: one for key, (one, _) in parts.items()}, [path for _, paths in parts.values() for path in paths]
    if isinstance(files, list):
        items = [_absolute(value, folder) for value in files]
        return [one for one, _ in items], [path for _, paths in items for path in paths]
    text = str(files)
    if "://" in text:
        return text, []
    path = folder / text
    if "*" in text:
        return str(path), sorted(folder.glob(text)) or [path]
    return str(path), [path]
