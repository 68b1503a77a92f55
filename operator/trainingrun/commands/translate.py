"""`trainingrun translate`: the engine configurations that run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trainingrun.commands.context import context_of
from trainingrun.commands.manifest import FAULTY, MISUSED, OK, CommandError, read_run
from trainingrun.commands.options import MANIFEST_PANEL, AsDocument, Document, File
from trainingrun.commands.printing import document

if TYPE_CHECKING:
    from trainingrun.api.notes import Note

Stage = Annotated[
    str | None, typer.Option("--stage", help="Only this one: pretrain, sft-VARIANT, dpo-VARIANT, cpt-VARIANT.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("translate", rich_help_panel=MANIFEST_PANEL)(translate)


def translate(file: File, stage: Stage = None, output: AsDocument = Document.YAML) -> int:
    """Print the engine configurations that run."""
    from trainingrun.api.notes import errors

    found = _configurations(file)
    if stage is not None:
        if stage not in found:
            has = ", ".join(found)
            raise CommandError(f"{file} translates no stage {stage}: choose one of {has}.", MISUSED)
        found = {stage: found[stage]}
    if output is Document.JSON:
        document({"stages": [_stage(name, *one) for name, one in found.items()]}, output)
    else:
        _print(found)
    return FAULTY if any(errors(notes) for _, notes in found.values()) else OK


def _configurations(file: str) -> dict[str, tuple[dict[str, Any], tuple[Note, ...]]]:
    """Configuration and notes of each stage that trains, by its name."""
    translated = context_of(read_run(file)).translated
    found: dict[str, tuple[dict[str, Any], tuple[Note, ...]]] = {
        "pretrain": (translated.pretrain.config, translated.pretrain.notes)
    }
    return found | {name: (one.config, one.notes) for name, one in translated.tuning.items()}


def _stage(name: str, config: dict[str, Any], notes: Iterable[Note]) -> dict[str, Any]:
    told = [{"severity": note.severity, "path": note.path, "message": note.message} for note in notes]
    return {"name": name, "config": config, "notes": told}


def _print(found: dict[str, tuple[dict[str, Any], tuple[Note, ...]]]) -> None:
    from trainingrun.api.yaml_text import dumped

    shown = ("".join(_comments(name, notes)) + dumped(config) for name, (config, notes) in found.items())
    print("---\n".join(shown), end="")


def _comments(stage: str, notes: Iterable[Note]) -> Iterator[str]:
    yield f"# Stage {stage}\n"
    yield from (f"# {note.severity}: {note.message}\n" for note in notes)
