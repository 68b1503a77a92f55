"""What `trainingrun init` has to say of what it read: one sentence each, with the place in the manifest it is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["contradiction", "changed", "not carried over", "warning", "assumed", "not used"]

# In the order in which they are printed, with what stands above them.
TITLES: dict[Kind, str] = {
    "contradiction": "Contradictions",
    "changed": "Changed, so that it runs",
    "not carried over": "Not carried over",
    "warning": "Worth a look",
    "assumed": "Assumed: correct it where it is wrong",
    "not used": "Not used by a run",
}


@dataclass(frozen=True)
class Notice:
    """One thing to say; where `path` names a field of the manifest, it also stands there as a comment."""

    kind: Kind
    message: str  # one sentence; of a contradiction with both values and where they stand
    path: str = ""  # from spec on, as notes of `check` have it; "" for the top of the file


def contradiction(message: str, path: str = "") -> Notice:
    """Two values that can't both be meant."""
    return Notice("contradiction", message, path)


def changed(message: str, path: str = "") -> Notice:
    """A value that was written otherwise than it was found."""
    return Notice("changed", message, path)


def lost(message: str, path: str = "") -> Notice:
    """Something for which the manifest has no place."""
    return Notice("not carried over", message, path)


def assumed(message: str, path: str = "") -> Notice:
    """A value that nobody gave."""
    return Notice("assumed", message, path)


def unused(message: str, path: str = "") -> Notice:
    """Something that is written down but has no effect."""
    return Notice("not used", message, path)


def warned(message: str, path: str = "") -> Notice:
    """Something that is likely a mistake."""
    return Notice("warning", message, path)
