"""helm, for all tests of the chart."""

import shutil
from pathlib import Path

import pytest
from local_cluster.programs import built


@pytest.fixture(scope="session")
def helm() -> Path:
    """The helm program; built once a machine."""
    if shutil.which("go") is None:
        pytest.skip("helm is built from source here and there is no Go compiler")
    return Path(built("helm") / "helm")
