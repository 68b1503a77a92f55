"""What the simulation reckons with."""

from dataclasses import dataclass, replace
from pathlib import Path

import yaml

import documented
from trainingrun.api.base import seconds
from trainingrun.api.training import Recovery

DEFAULTS = Path(__file__).with_name("parameters.yaml")
DAY = 86400.0  # seconds
BACKOFF = seconds(Recovery().backoff)  # after a first failure it comes before the next attempt


@dataclass(frozen=True)
class Parameters:
    """The values of parameters.yaml, where each is explained."""

    days: int
    nodes: int
    gpus_per_node: int
    step_seconds: float
    seed: int
    months: int
    pods_running_seconds: float
    first_step_seconds: float
    lost_node_seconds: float
    failures: dict[str, float]
    days_between_failures: tuple[float, ...]
    save_seconds: tuple[float, ...]
    multiples: tuple[float, ...]
    look_seconds: float

    @classmethod
    def read(cls, path: Path = DEFAULTS) -> "Parameters":
        """The parameters of a file; KeyError or TypeError where it lacks one or has one too many."""
        raw = yaml.safe_load(path.read_text())
        snake = {"".join(f"_{one.lower()}" if one.isupper() else one for one in key): raw[key] for key in raw}
        return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in snake.items()})

    def measured(self) -> "Parameters":
        """The same with restarts as docs/operations.md has them: the 95th percentile after a rank was killed."""
        row = documented.rows("faults")["rank killed"]
        running, stepping = (float(row[name].split("/")[1]) for name in ("gang running", "first step"))
        return replace(self, pods_running_seconds=running - BACKOFF, first_step_seconds=stepping - running)
