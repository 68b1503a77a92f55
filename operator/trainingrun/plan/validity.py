"""Everything that can be known to be wrong with a run before anything of it runs."""

from trainingrun.api.notes import Note
from trainingrun.stages.context import Context


def errors(context: Context) -> tuple[Note, ...]:
    """The problems that keep the run from starting."""
    return tuple(note for note in context.problems if note.severity == "error")


def warnings(context: Context) -> tuple[str, ...]:
    """Warnings as the status tells them."""
    return tuple(f"{note.path}: {note.message}"[:500] for note in context.problems if note.severity == "warning")
