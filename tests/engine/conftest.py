"""What the tests of the engines share: real interpreters and stages run as a pod runs them."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ENVIRONMENT = Path(__file__).with_name("environment.py")


@pytest.fixture(scope="session")
def engine_python() -> Callable[[str], Path]:
    """The interpreter of an engine's environment, by its image's name; made where it is missing."""
    made: dict[str, Path] = {}

    def python(name: str) -> Path:
        if name not in made:
            command = [sys.executable, str(ENVIRONMENT), name]
            made[name] = Path(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip())
        return made[name]

    return python
