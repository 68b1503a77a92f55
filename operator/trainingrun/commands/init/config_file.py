"""A YAML configuration as somebody keeps it: its content, and the line on which each key stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import yaml

from trainingrun.api.yaml_text import Loader, documents


class UnreadableError(Exception):
    """A text that is no configuration, as a sentence."""


@dataclass(frozen=True)
class ConfigFile:
    """The content of a file with the lines of its keys, by dotted path."""

    source: str
    content: dict[str, Any]
    lines: Mapping[str, int]

    @property
    def name(self) -> str:
        """The file's own name, for messages."""
        return PurePath(self.source).name

    def where(self, path: str) -> str:
        """Where a key stands, as "cfg.yaml line 12"; the file alone where the key isn't in it."""
        while path and path not in self.lines:
            path = path.rpartition(".")[0]
        return f"{self.name} line {self.lines[path]}" if path else self.name

    def get(self, path: str) -> Any:
        """The value of a dotted path; None where there is none."""
        return value_at(self.content, path)


def value_at(content: Mapping[str, Any], path: str) -> Any:
    """The value of a dotted path in nested mappings; None where there is none."""
    found: Any = content
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def read_config(text: str, source: str) -> ConfigFile:
    """The configuration in a text; UnreadableError where there is none."""
    try:
        found = documents(text)
        root = yaml.compose(text, Loader=Loader)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UnreadableError(f"{source}{line} is not YAML: {error.problem or error.context}.") from error
    except yaml.YAMLError as error:
        raise UnreadableError(f"{source} is not YAML: {' '.join(str(error).split())}.") from error
    if len(found) != 1 or not isinstance(found[0], dict) or root is None:
        raise UnreadableError(f"{source} holds no single mapping of keys: give one configuration.")
    return ConfigFile(source, found[0], lines_of(root))


def lines_of(root: yaml.Node) -> dict[str, int]:
    """The line of every key and item, by its path: spec.data[0].name."""
    return dict(_lines(root, ""))


def _lines(node: yaml.Node, prefix: str) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            path = f"{prefix}.{key.value}" if prefix else str(key.value)
            yield path, key.start_mark.line + 1
            yield from _lines(value, path)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield f"{prefix}[{index}]", item.start_mark.line + 1
            yield from _lines(item, f"{prefix}[{index}]")
