"""Configurations read by a table: every key is honoured, translated, ignored or refused, each with a sentence.

A `KeyTable` holds one row a key. `read` walks a configuration of JSON values and yields the values that were right,
by path, with a note for everything that is to be said; it never raises for any JSON value.
"""

import difflib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from trainingrun.api.key_kinds import ANYTHING, Kind, shown
from trainingrun.api.notes import Note, Severity, error

Fate = Literal["honoured", "translated", "ignored", "refused"]

_DEEPEST = 32
_MOST_SUGGESTIONS = 20  # looking for the nearest key is slow, and nobody reads more
_LARGEST = 2**63
_SAID: Mapping[Fate, Severity] = {
    "honoured": "translated", "translated": "translated", "ignored": "ignored", "refused": "error",
}  # fmt: skip


@dataclass(frozen=True)
class Key:
    """One row: a key, the values it takes and what becomes of it."""

    path: str  # dotted; a row of kind ANYTHING covers all below it
    kind: Kind = ANYTHING
    fate: Fate = "honoured"
    sentence: str = ""  # said when the key is given; {value} stands for its value
    target: str = ""  # path in the engine's configuration; the same path where empty
    quiet: tuple[Any, ...] = ()  # values about which nothing is said; of a refused key those that are allowed
    severity: Severity | None = None  # of the sentence, where another than the fate's
    example: Any = None  # makes the key a required one

    @property
    def lands(self) -> str:
        """Where the value goes in the engine's configuration."""
        return self.target or self.path


@dataclass
class Reading:
    """What a configuration holds: `values` by the path where they land, and all that is to be said."""

    values: dict[str, Any] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    given: dict[str, str] = field(default_factory=dict)  # key that gave the value, by where it lands
    wrong: set[str] = field(default_factory=set)  # where values of a wrong kind would have landed


class KeyTable:
    """The rows of one schema, with the sections that they lie in."""

    def __init__(self, *keys: Key) -> None:
        self.keys = keys
        self.by_path = {key.path: key for key in keys}
        self.sections = {
            ".".join(key.path.split(".")[:depth]) for key in keys for depth in range(1, key.path.count(".") + 1)
        }

    def read(self, raw: Mapping[str, Any], prefix: str = "") -> Reading:
        """The values of a configuration and its notes; `prefix` stands before each path in what is said."""
        reading = Reading()
        self._walk(raw, "", prefix, reading)
        for key in self.keys:
            if key.example is not None and key.lands not in reading.values and key.lands not in reading.wrong:
                reading.notes.append(_missing(prefix, key))
                reading.wrong.add(key.lands)
        reading.notes = distinct(reading.notes)
        return reading

    def _walk(self, raw: Mapping[str, Any], section: str, prefix: str, reading: Reading) -> None:
        for name, value in raw.items():
            path = f"{section}.{name}" if section else name
            if path in self.by_path:
                self._take(self.by_path[path], value, prefix, reading)
            elif path in self.sections:
                if isinstance(value, Mapping):
                    self._walk(value, path, prefix, reading)
                else:
                    reading.notes.append(_no_section(prefix + path, value))
            else:
                reading.notes.append(self._unknown(prefix, path, reading))

    def _take(self, key: Key, value: Any, prefix: str, reading: Reading) -> None:
        path = prefix + key.path
        try:
            read = key.kind.read(value)
        except (ValueError, OverflowError):
            reading.wrong.add(key.lands)
            reading.notes.append(wrong_kind(path, value, key.kind, key.example))
            return
        if key.fate in ("honoured", "translated"):
            self._keep(key, read, path, reading)
        if key.sentence and read not in key.quiet:
            severity = key.severity or _SAID[key.fate]
            reading.notes.append(Note(severity, path, key.sentence.replace("{value}", shown(value))))

    def _keep(self, key: Key, value: Any, path: str, reading: Reading) -> None:
        if key.lands in reading.values and reading.values[key.lands] != value:
            first = reading.given[key.lands]
            message = f"{first} and {path} set the same value differently: keep one of them."
            reading.notes.append(error(path, message))
            return
        reading.values[key.lands] = value
        reading.given[key.lands] = path

    def _unknown(self, prefix: str, path: str, reading: Reading) -> Note:
        so_far = sum(note.message.endswith("?") for note in reading.notes)
        guess = self.nearest(path) if so_far < _MOST_SUGGESTIONS else None
        return unknown_key(prefix + path, prefix + guess if guess else None)

    def nearest(self, path: str) -> str | None:
        """The known key that an unknown one is most like: in its section, of its name elsewhere, or by its path."""
        section, _, leaf = path[:100].rpartition(".")
        known = [key.path for key in self.keys]
        beside = [one for one in known if one.rpartition(".")[0] == section]
        return (
            closest(leaf, {one.rpartition(".")[2]: one for one in beside})
            or next((one for one in known if one.rpartition(".")[2] == leaf), None)
            or closest(path[:100], {one: one for one in known})
        )


def closest(word: str, by_word: Mapping[str, str]) -> str | None:
    """The value of the word that a misspelt one is most like, or None where none is near."""
    found = difflib.get_close_matches(word, by_word, n=1, cutoff=0.6)
    return by_word[found[0]] if found else None


def distinct(notes: Iterable[Note]) -> list[Note]:
    """The notes in their order, each message once."""
    by_message: dict[str, Note] = {}
    for note in notes:
        by_message.setdefault(note.message, note)
    return list(by_message.values())


def unknown_key(path: str, guess: str | None) -> Note:
    """The error of a key that is not known, with the nearest one that is."""
    what = f"{path[:120]} is not a known key"
    return error(path[:120], f"{what}: did you mean {guess}?" if guess else f"{what}: remove it.")


def wrong_kind(path: str, value: Any, kind: Kind, example: Any = None) -> Note:
    """The error of a value that its key does not take."""
    end = "" if example is None else f", for example {shown(example)}"
    return error(path, f"{path} is {shown(value)}, but takes {kind.words}{end}.")


def _no_section(path: str, value: Any) -> Note:
    return error(path, f"{path} is {shown(value)}, but is a section: write keys below it.")


def _missing(prefix: str, key: Key) -> Note:
    path = prefix + key.path
    return error(path, f"{path} is missing: add it, for example {key.path.rpartition('.')[2]}: {shown(key.example)}.")


def canonical(raw: Any) -> str:
    """A configuration as JSON text that is the same for what means the same.

    Keys are sorted and texts, nulls in mappings are left out and 1.0 is 1: the API server does both when it stores an
    object. ValueError, whose text is a sentence, for what is no configuration at all.
    """
    return json.dumps(_plain(raw, 0), sort_keys=True)


def _plain(value: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        raise ValueError(f"The configuration is nested more than {_DEEPEST} levels deep: check its indentation.")
    if isinstance(value, Mapping):
        return {str(key): _plain(item, depth + 1) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, bool | str | None):
        return value
    if isinstance(value, int | float):
        return _plain_number(value)
    return str(value)  # YAML's dates


def _plain_number(value: int | float) -> int | float:
    if isinstance(value, int) and abs(value) >= _LARGEST:
        raise ValueError("The configuration holds a whole number of more than 64 bits: no key takes one.")
    if isinstance(value, float) and math.isfinite(value) and value.is_integer() and abs(value) < _LARGEST:
        return int(value)
    return value


def nest(values: Mapping[str, Any]) -> dict[str, Any]:
    """Nested mappings of values by dotted path, keys sorted."""
    result: dict[str, Any] = {}
    for path in sorted(values):
        *sections, leaf = path.split(".")
        inner = result
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[leaf] = values[path]
    return result


def lines(keys: Sequence[Key]) -> Iterator[tuple[str, str, str]]:
    """The table for readers: key, what becomes of it, and the sentence."""
    for key in keys:
        yield key.path, key.fate, key.sentence
