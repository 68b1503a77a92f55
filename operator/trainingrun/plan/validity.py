"""Everything that can be known to be wrong with a run before anything of it runs."""

from typing import Final

from trainingrun.api.notes import Note
from trainingrun.stages.context import Context

_UNHEARD: Final = (
    "spec.notifications: the operator has no address to send messages to: set notifications.secretName in the chart's "
    "values, or leave this out."
)


def errors(context: Context) -> tuple[Note, ...]:
    """The problems that keep the run from starting."""
    return tuple(note for note in context.problems if note.severity == "error")


def warnings(context: Context) -> tuple[str, ...]:
    """Warnings as the status tells them."""
    said = tuple(f"{note.path}: {note.message}"[:500] for note in context.problems if note.severity == "warning")
    return said if context.settings.notifies or not context.run.spec.notifications.events else (*said, _UNHEARD)
