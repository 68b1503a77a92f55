"""What is to be said about a user's configuration: one sentence a note."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "translated", "ignored"]


@dataclass(frozen=True)
class Note:
    """One thing to say.

    An `error` stops the stage, a `warning` is likely a mistake, `translated` says that a value runs under another
    name or value, `ignored` that a key has no effect here.
    """

    severity: Severity
    path: str  # the key within the configuration, for example tokens.train_steps; "" for the whole of it
    message: str  # one sentence that names the key itself, so that it can stand alone


def errors(notes: Iterable[Note]) -> tuple[Note, ...]:
    """The notes that stop a stage."""
    return tuple(note for note in notes if note.severity == "error")


def error(path: str, message: str) -> Note:
    """A note that stops the stage."""
    return Note("error", path, message)


def warning(path: str, message: str) -> Note:
    """A note of what is likely a mistake."""
    return Note("warning", path, message)


def translated(path: str, message: str) -> Note:
    """A note of what runs under another name or value."""
    return Note("translated", path, message)


def ignored(path: str, message: str) -> Note:
    """A note of what has no effect here."""
    return Note("ignored", path, message)
