"""A manifest as text: what is to be said stands as comments, above the field that it is about or at the top."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml

from trainingrun.api.yaml_text import Loader, dumped
from trainingrun.commands.init.config_file import lines_of
from trainingrun.commands.init.notices import TITLES, Notice

WIDTH: Final = 118


def written(manifest: Mapping[str, Any], notices: Sequence[Notice], header: Sequence[str]) -> str:
    """The text; `header` is put above all, a comment a line."""
    text = dumped(dict(manifest))
    root = yaml.compose(text, Loader=Loader)
    lines = lines_of(root) if root is not None else {}
    above: dict[int, list[Notice]] = {}
    top: list[Notice] = []
    for notice in notices:
        line = _line(notice.path, lines, manifest)
        if line is None:
            top.append(notice)
        else:
            above.setdefault(line, []).append(notice)
    made = [*_comments(header, 0), *_sections(top)]
    for number, line_text in enumerate(text.splitlines(), start=1):
        indent = len(line_text) - len(line_text.lstrip())
        made += _comments([f"{one.kind}: {one.message}" for one in above.get(number, ())], indent)
        made.append(line_text)
    return "\n".join(made) + "\n"


def _sections(notices: Sequence[Notice]) -> list[str]:
    made: list[str] = []
    for kind, title in TITLES.items():
        of_kind = [one.message for one in notices if one.kind == kind]
        if of_kind:
            made += ["#", *_comments([f"{title}:"], 0)]
            made += [line for message in of_kind for line in _comments([f"- {message}"], 0)]
    return made


def _comments(messages: Sequence[str], indent: int) -> list[str]:
    before = " " * indent + "# "
    wrapped = (
        textwrap.wrap(one, WIDTH - len(before), subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
        for one in messages
    )
    return [before + line for lines in wrapped for line in lines]


def _line(path: str, lines: Mapping[str, int], manifest: Mapping[str, Any]) -> int | None:
    """The line of a path or of the nearest above it; None for what concerns the whole."""
    place = _by_position(path, manifest)
    while place and place not in lines:
        place = place[: place.rfind("[")] if place.endswith("]") else place.rpartition(".")[0]
    return None if place in ("", "spec") else lines[place]


def _by_position(path: str, manifest: Mapping[str, Any]) -> str:
    """A path with variants' positions in the place of their names."""
    variants = [one.get("name") for one in manifest["spec"].get("variants") or ()]

    def position(match: re.Match[str]) -> str:
        name = match.group(1)
        return f"variants[{variants.index(name)}]" if name in variants else match.group()

    return re.sub(r"variants\[([a-z][-a-z0-9]*)\]", position, path)
