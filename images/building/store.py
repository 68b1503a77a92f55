"""Where images are built and kept: what every way of building offers."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from building.errors import BuildError

_TAIL_LINES = 20


@dataclass(frozen=True)
class Recipe:
    """One build: the reference it gets, its Containerfile, its context, build arguments and secrets by id."""

    reference: str
    containerfile: Path
    context: Path
    arguments: Mapping[str, str]
    secrets: Mapping[str, Path]
    log: Path


class Store(Protocol):
    """A builder with the images that it has."""

    def references(self) -> set[str]:
        """The images that are there, by name and tag."""

    def build(self, recipe: Recipe) -> None:
        """Build an image and keep it; BuildError where that fails."""

    def remove(self, references: Sequence[str]) -> None:
        """Remove images."""

    def deliver(self, references: Sequence[str]) -> None:
        """Bring images to where pods are run from, if they are not there yet."""

    def forget_steps(self) -> None:
        """Free the disk of what building large images left behind."""


def run_logged(command: Sequence[str], log: Path, what: str) -> None:
    """Run a program with all its output in `log`; BuildError with the last lines where it fails."""
    with log.open("w") as file:
        try:
            done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=False)
        except FileNotFoundError as error:
            raise BuildError(f"{command[0]} is not installed here: install it, or choose another --tool.") from error
    if done.returncode != 0:
        tail = "\n".join(f"    {line}" for line in log.read_text(errors="replace").splitlines()[-_TAIL_LINES:])
        raise BuildError(f"{what} failed ({done.returncode}): mend what {log} says and try again.\n{tail}")
