"""How commands print: documents for scripts, and a console for people that is sane in pipes and narrow terminals."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import Console

    from trainingrun.commands.options import Document, Output

IN_A_PIPE: Final = 120  # columns where there is no terminal: rich would take 80, and cut names


def document(content: Any, output: Output | Document) -> None:
    """Print JSON or YAML."""
    from trainingrun.api.yaml_text import dumped

    print(json.dumps(content, indent=2) if output == "json" else dumped(content).rstrip("\n"))


def console(stderr: bool = False) -> Console:
    """A console on standard output or error: the terminal's width, no colour with NO_COLOR or in a pipe."""
    from rich.console import Console

    class _Console(Console):
        def on_broken_pipe(self) -> None:
            """As print does, in the place of an exit code 1: the command line knows what it means."""
            raise BrokenPipeError

    made = _Console(stderr=stderr, highlight=False, soft_wrap=False)
    if not made.is_terminal and not _columns_are_given():
        made.width = IN_A_PIPE
    return made


def _columns_are_given() -> bool:
    import os

    return os.environ.get("COLUMNS", "").isdigit()


def at_a_terminal() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()
