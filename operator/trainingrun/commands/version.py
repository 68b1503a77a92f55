"""`trainingrun version`."""

from __future__ import annotations

import typer

import trainingrun
from trainingrun.commands.manifest import OK
from trainingrun.commands.options import OTHER_PANEL, As, Output
from trainingrun.commands.printing import document


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("version", rich_help_panel=OTHER_PANEL)(version)


def version(output: As = Output.TEXT) -> int:
    """Print the version."""
    if output is Output.TEXT:
        print(trainingrun.__version__)
    else:
        document({"version": trainingrun.__version__}, output)
    return OK
