"""What `import trainingrun` has, and that it costs nothing until it is asked for."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import trainingrun

DOCUMENTATION = Path(__file__).resolve().parents[4] / "docs" / "python.md"


def test_the_import_alone_brings_nothing_that_takes_long() -> None:
    program = (
        "import sys, trainingrun; heavy = {'pydantic', 'yaml', 'kubernetes', 'aiohttp', 'urllib3', 'pandas', 'kopf'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there_and_told_of() -> None:
    assert all(getattr(trainingrun, name) for name in trainingrun.__all__)
    assert set(trainingrun.__all__) <= set(dir(trainingrun))
    text = DOCUMENTATION.read_text()
    assert [name for name in trainingrun.__all__ if not name.startswith("_") and f"`{name}`" not in text] == []


def test_every_call_of_the_client_is_told_of() -> None:
    calls = [name for name in vars(trainingrun.Client) if not name.startswith("_")]
    text = DOCUMENTATION.read_text()
    assert [name for name in calls if not re.search(rf"`client\.{name}\(", text)] == []


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Cluster'"):
        _ = trainingrun.Cluster
