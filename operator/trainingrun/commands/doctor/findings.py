"""FINDING: one line of what `trainingrun doctor` says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """How one thing stands, in a sentence, and what to do about it."""

    level: Level
    check: str  # what was looked at, in a word or two
    message: str
    mend: str = ""  # a sentence; empty where nothing is to be done


def ok(check: str, message: str) -> Finding:
    """As it should be."""
    return Finding("ok", check, message)


def warn(check: str, message: str, mend: str) -> Finding:
    """Runs may work, or not as well as they could; or it couldn't be looked at."""
    return Finding("warn", check, message, mend)


def fail(check: str, message: str, mend: str) -> Finding:
    """Runs can't work."""
    return Finding("fail", check, message, mend)
