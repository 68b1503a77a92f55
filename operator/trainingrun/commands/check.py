"""`trainingrun check`: what is wrong with a run, and what its configurations become."""

from __future__ import annotations

import typer

from trainingrun.commands.context import context_of
from trainingrun.commands.manifest import FAULTY, OK, read_run
from trainingrun.commands.options import MANIFEST_PANEL, As, File, Output
from trainingrun.commands.printing import document


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check", rich_help_panel=MANIFEST_PANEL)(check)


def check(file: File, output: As = Output.TEXT) -> int:
    """Print what is wrong with a run and what its configurations become."""
    run = read_run(file)
    notes = context_of(run).problems
    errors = sum(note.severity == "error" for note in notes)
    if output is not Output.TEXT:
        found = [{"severity": note.severity, "path": note.path, "message": note.message} for note in notes]
        document({"name": run.metadata.name, "errors": errors, "notes": found}, output)
        return FAULTY if errors else OK
    for note in notes:
        print(f"{note.severity}: {note.path}: {note.message}")
    print(f"{run.metadata.name}: {errors or 'no'} error{'s' if errors != 1 else ''}.")
    return FAULTY if errors else OK
