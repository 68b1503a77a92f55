"""A world for commands that look at runs."""

import os
from pathlib import Path

import pytest

from trainingrun.commands import access
from unit.trainingrun.commands.world import WORKERS, World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """The world that commands find."""
    made = World(tmp_path)
    monkeypatch.setattr(access, "connect", lambda kubeconfig, context, namespace: made)
    monkeypatch.setenv("PATH", f"{made.root / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("WORKERS", str(WORKERS))
    return made
