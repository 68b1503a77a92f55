"""Values of Axolotl's keys checked against the JSON types that its release takes."""

from collections.abc import Mapping
from typing import Any, Final

from trainingrun.api.axolotl_keys import KNOWN
from trainingrun.api.key_kinds import shown
from trainingrun.api.key_table import closest, unknown_key
from trainingrun.api.notes import Note, error

_WORDS: Final[Mapping[str, str]] = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "list": "a list",
    "dict": "a mapping",
}
_PYTHON: Final[Mapping[str, tuple[type, ...]]] = {
    "bool": (bool,),
    "int": (int,),
    "float": (float, int),
    "str": (str,),
    "list": (list,),
    "dict": (dict,),
}


def checked(section: str, raw: Mapping[str, Any], prefix: str = "") -> tuple[dict[str, Any], list[Note]]:
    """The keys of a section that Axolotl knows and whose values are right, and the errors of the others."""
    known = KNOWN[section]
    values: dict[str, Any] = {}
    notes: list[Note] = []
    for key, value in raw.items():
        if key not in known:
            notes.append(unknown(section, key, prefix))
            continue
        try:
            values[key] = _read(value, known[key])
        except ValueError:
            wanted = " or ".join(_WORDS[one] for one in _WORDS if one in known[key])
            notes.append(error(prefix + key, f"{prefix}{key} is {shown(value)}, but takes {wanted}."))
    return values, notes


def unknown(section: str, key: str, prefix: str = "") -> Note:
    """The error of a key that Axolotl does not know in a section, with the nearest that it does."""
    guess = closest(key[:80], {one: one for one in KNOWN[section]})
    return unknown_key(prefix + key, prefix + guess if guess else None)


def _read(value: Any, types: frozenset[str]) -> Any:
    """The value as it is, or a number from a text such as "1e-3", which YAML 1.1 takes for one; else ValueError."""
    if "any" in types:
        return value
    if isinstance(value, bool):
        if "bool" in types:
            return value
        raise ValueError
    if any(isinstance(value, _PYTHON[one]) for one in types):
        return value
    if isinstance(value, str) and "float" in types:
        return float(value)
    if isinstance(value, str) and "int" in types:
        return int(value)
    raise ValueError
