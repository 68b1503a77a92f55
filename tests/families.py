"""The families of examples/ as kubectl renders them, for the tiers that have a kubectl."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainingrun.api.yaml_text import documents

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
REPORT, SMALL = EXAMPLES / "zagreus", EXAMPLES / "family"
BASES = ("zagreus-ita", "zagreus-spa", "zagreus-fra", "zagreus-por")
POST_TRAINED = {"nesso-instruct": "instruct", "nesso-agentic": "agentic", "open-zagreus": "open"}

Kubectl = Callable[..., str]


def rendered(kubectl: Kubectl, folder: Path) -> list[dict[str, Any]]:
    """The objects that `kubectl kustomize` makes of a folder."""
    return list(documents(kubectl("kustomize", str(folder))))


def model(kubectl: Kubectl, name: str, family: Path = REPORT) -> dict[str, Any]:
    """One model's run."""
    (run,) = rendered(kubectl, family / "models" / name)
    return run
