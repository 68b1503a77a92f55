"""`trainingrun reproduce`: the manifest that made a released model, with the images that did the work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from trainingrun.commands.manifest import MISUSED, OK, CommandError
from trainingrun.commands.options import DOCUMENTS, MODELS_PANEL, Output

MANIFEST: Final = "trainingrun.yaml"  # beside the card, written by the release stage
PROVENANCE: Final = "provenance.json"
HEAD: Final = """\
# The run that made this model, as it was applied to trainingrun {version}.
"""
IMAGES: Final = """\
# Made by these images. To have the same again, install the chart of that version with these values:
"""
TAGS: Final = """\
# {roles} had no digest, so the same name may be another image by now.
"""


Card = Annotated[str, typer.Argument(metavar="CARD", help="A released folder, or the README.md or another file in it.")]
Target = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE|json|yaml",
        help="Write into this file, which must not exist yet; or print manifest and images as one document.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("reproduce", rich_help_panel=MODELS_PANEL)(reproduce)


def reproduce(card: Card, output: Target = None) -> int:
    """Print the manifest that made a released model, with its images as values of the chart."""
    from trainingrun.api.yaml_text import documents
    from trainingrun.commands.printing import document

    manifest, provenance = found(Path(card))
    if output in DOCUMENTS:
        images = provenance.get("images") or {}
        parts = {"version": provenance.get("trainingrun"), "images": images, "manifest": documents(manifest)[0]}
        document(parts, Output(output))
        return OK
    text = _comments(provenance) + manifest
    if output is None:
        print(text, end="")
        return OK
    try:
        with Path(output).open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise CommandError(f"{output} can't be written: {error.strerror}.", MISUSED) from error
    return OK


def found(given: Path) -> tuple[str, dict[str, Any]]:
    """The manifest of a released folder, checked as any other, and what is known of how it was made."""
    from trainingrun.commands.manifest import read_run

    folder = given if given.is_dir() else given.parent
    file = folder / MANIFEST
    if not given.exists():
        raise CommandError(f"There is no {given}: name a released folder, or the README.md in it.", MISUSED)
    if not file.is_file():
        raise CommandError(
            f"{folder} has no {MANIFEST}, which the release stage writes beside the card: download the whole folder, "
            "or release the model again if it was made before there was one."
        )
    read_run(str(file))
    return file.read_text(encoding="utf-8"), _provenance(folder)


def _provenance(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CommandError(
            f"{folder} has no {PROVENANCE}, which names the images: download the whole folder."
        ) from error
    except ValueError as error:
        raise CommandError(f"{folder / PROVENANCE} is not JSON: download it again.") from error
    return found if isinstance(found, dict) else {}


def _comments(provenance: dict[str, Any]) -> str:
    from trainingrun.api.yaml_text import dumped

    images = provenance.get("images") or {}
    tagged = sorted(role for role, image in images.items() if "@sha256:" not in str(image))
    lines = [HEAD.format(version=provenance.get("trainingrun", "of an unknown version"))]
    if images:
        values = dumped({"images": images}, width=10_000)
        lines += [IMAGES, *(f"#   {line}\n" for line in values.splitlines())]
    if tagged:
        lines.append(TAGS.format(roles=f"The image{'s' if len(tagged) > 1 else ''} of {', '.join(tagged)}"))
    return "".join(lines)
