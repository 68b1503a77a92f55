"""The context of a manifest's run, for commands without a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainingrun.api.training_run import TrainingRun
    from trainingrun.stages.context import Context


def context_of(run: TrainingRun, images: dict[str, str] | None = None) -> Context:
    """A run's context, with images by stage kind in place of the default ones."""
    from trainingrun.stages.context import Context
    from trainingrun.stages.settings import Settings

    settings = Settings()
    return Context(run, Settings(images=settings.images | (images or {})))
