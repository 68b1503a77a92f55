"""trainingrun: a Kubernetes operator that trains a language model from scratch out of one manifest.

From Python: `from trainingrun import Client, TrainingRun` (docs/python.md). What these are is imported when they are
asked for, so that `import trainingrun` takes no time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from trainingrun.api.status import TrainingRunStatus
    from trainingrun.api.training_run import TrainingRun, TrainingRunSpec
    from trainingrun.commands.manifest import CommandError
    from trainingrun.commands.refusals import AbsentError, UnreachableError
    from trainingrun.library.client import Client
    from trainingrun.library.errors import RunFailedError, TimedOutError
    from trainingrun.library.progress import StageProgress

__version__ = "0.1.0"

__all__ = [
    "AbsentError", "Client", "CommandError", "RunFailedError", "StageProgress", "TimedOutError", "TrainingRun",
    "TrainingRunSpec", "TrainingRunStatus", "UnreachableError", "__version__",
]  # fmt: skip

_MODULES: Final = {
    "AbsentError": "commands.refusals",
    "Client": "library.client",
    "CommandError": "commands.manifest",
    "RunFailedError": "library.errors",
    "StageProgress": "library.progress",
    "TimedOutError": "library.errors",
    "TrainingRun": "api.training_run",
    "TrainingRunSpec": "api.training_run",
    "TrainingRunStatus": "api.status",
    "UnreachableError": "commands.refusals",
}


def __getattr__(name: str) -> Any:
    """One of the public names, imported now."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
