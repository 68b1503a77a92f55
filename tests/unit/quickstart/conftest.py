"""Where the quickstart's data lie, and how they are read."""

import json
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parents[3] / "examples" / "quickstart" / "data"


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder with the quickstart's data."""
    return DATA


@pytest.fixture(scope="session")
def lines() -> Any:
    """A reader of JSON-lines files below the data's folder, one value a line."""

    def read(name: str) -> list[Any]:
        return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]

    return read
