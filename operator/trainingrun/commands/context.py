"""The context of a manifest's run, for commands without a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from trainingrun.api.training_run import TrainingRun
    from trainingrun.stages.context import Context


CUSTOM: Final = "custom."  # before the entry of a custom engine, among images by stage kind


def context_of(run: TrainingRun, images: dict[str, str] | None = None) -> Context:
    """A run's context, with images by stage kind in place of the default ones; custom engines are custom.ENTRY."""
    from trainingrun.stages.context import Context
    from trainingrun.stages.settings import Settings

    given = images or {}
    custom = {key.removeprefix(CUSTOM): image for key, image in given.items() if key.startswith(CUSTOM)}
    roles = {key: image for key, image in given.items() if not key.startswith(CUSTOM)}
    return Context(run, Settings(images=Settings().images | roles, custom_engines=custom or None))
