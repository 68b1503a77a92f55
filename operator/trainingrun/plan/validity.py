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
    return (*(note for note in context.problems if note.severity == "error"), *_unknown_engine(context))


def _unknown_engine(context: Context) -> tuple[Note, ...]:
    """Where the installation has no image for the run's own engine."""
    custom, known = context.run.spec.pretrain.custom, context.settings.custom_engines
    if custom is None or known is None or custom.image in known:
        return ()
    there = f"name one of {', '.join(sorted(known))}" if known else "there are none"
    return (
        Note(
            "error",
            "spec.pretrain.custom.image",
            f"The chart's values name no image for custom engine {custom.image}: {there}, or let whoever installs the "
            f"operator set images.custom.{custom.image}.",
        ),
    )


def warnings(context: Context) -> tuple[str, ...]:
    """Warnings as the status tells them."""
    said = tuple(f"{note.path}: {note.message}"[:500] for note in context.problems if note.severity == "warning")
    return said if context.settings.notifies or not context.run.spec.notifications.events else (*said, _UNHEARD)
