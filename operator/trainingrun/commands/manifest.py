"""What every command has in common: its exit codes, its error, and the manifest it reads."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from trainingrun.api.training_run import TrainingRun

OK: Final = 0
FAULTY: Final = 1
MISUSED: Final = 2
NO_CLUSTER: Final = 3
NOT_FOUND: Final = 4
INTERRUPTED: Final = 130
MEANINGS: Final = {
    OK: "it did what it was asked",
    FAULTY: "the run or the manifest is at fault",
    MISUSED: "the command was used wrongly",
    NO_CLUSTER: "the cluster can't be reached, refuses, or lacks what is needed",
    NOT_FOUND: "there is no such run, stage or object",
    INTERRUPTED: "it was interrupted (Ctrl-C)",
}


class CommandError(Exception):
    """What keeps a command from doing its work, as sentences."""

    def __init__(self, message: str, code: int = FAULTY) -> None:
        super().__init__(message)
        self.code = code


def read_run(file: str) -> TrainingRun:
    """The run in a file, or on standard input for "-"; CommandError where there is none."""
    from trainingrun.api.manifest_text import BadManifestError, read

    source = "Standard input" if file == "-" else file
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        return read(text, source)
    except BadManifestError as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(f"{source} can't be read: {error.strerror}.", MISUSED) from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{source} is not YAML: byte {error.start} is not UTF-8.") from error
