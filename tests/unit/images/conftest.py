"""The images' builder is a script with modules beside it: it is imported from where it lies."""

import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]
sys.path.insert(0, str(CHECKOUT / "images"))

CONTAINERFILES = sorted((CHECKOUT / "images").glob("*/Containerfile"))


@pytest.fixture
def checkout() -> Path:
    """The project's own checkout."""
    return CHECKOUT


@pytest.fixture(params=CONTAINERFILES, ids=lambda path: path.parent.name)
def containerfile(request: pytest.FixtureRequest) -> Path:
    """Each Containerfile in turn."""
    return Path(request.param)


@pytest.fixture(params=sorted((CHECKOUT / "images").glob("*/requirements*.txt")), ids=lambda path: path.parent.name)
def requirements(request: pytest.FixtureRequest) -> Path:
    """Each requirement file in turn."""
    return Path(request.param)
