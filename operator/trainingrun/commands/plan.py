"""`trainingrun plan`: every object of every stage's first attempt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from trainingrun.commands.context import CUSTOM, context_of
from trainingrun.commands.manifest import MISUSED, OK, CommandError, read_run
from trainingrun.commands.options import MANIFEST_PANEL, AsDocument, Document, File

Images = Annotated[
    str | None,
    typer.Option(
        "--images", metavar="JSON", help="Images by stage kind, and by custom.ENTRY, as JSON or as a file of it."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("plan", rich_help_panel=MANIFEST_PANEL)(plan)


def plan(file: File, images: Images = None, output: AsDocument = Document.YAML) -> int:
    """Print every object of every stage's first attempt."""
    from trainingrun.api.yaml_text import dumped
    from trainingrun.plan import validity
    from trainingrun.plan.preview import first_attempts

    context = context_of(read_run(file), _images(images))
    errors = validity.errors(context)
    if errors:
        raise CommandError("\n".join(f"{note.path}: {note.message}" for note in errors))
    objects = first_attempts(context)
    if output is Document.JSON:
        print(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}, indent=2))
    else:
        print("---\n".join(dumped(one) for one in objects), end="")
    return OK


def _images(given: str | None) -> dict[str, str]:
    """The images of --images by stage kind, from JSON or a file of it; CommandError where they are none."""
    from trainingrun.stages.settings import ROLES

    if given is None:
        return {}
    try:
        text = given if given.lstrip().startswith("{") else Path(given).read_text(encoding="utf-8")
        images = json.loads(text)
    except OSError as error:
        raise CommandError(f"--images {given} can't be read: {error.strerror}.", MISUSED) from error
    except ValueError as error:
        raise CommandError(f"--images is not JSON: {error}.", MISUSED) from error
    known = isinstance(images, dict) and {role for role in images if not role.startswith(CUSTOM)} <= {
        *ROLES,
        "operator",
    }
    if not known or not all(isinstance(image, str) for image in images.values()):
        raise CommandError(
            f"--images takes a JSON object with images of {', '.join(ROLES)}, and of custom.ENTRY.", MISUSED
        )
    return {role: image for role, image in images.items() if role != "operator"}
