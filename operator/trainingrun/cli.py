"""CLI: the `trainingrun` command, which tells all that can be told of a manifest without a cluster.

Modules that take long to import are imported by the command that needs them, so that --help answers at once.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trainingrun
from trainingrun.commands import artifacts, reproduce
from trainingrun.commands.manifest import FAULTY, MISUSED, OK, CommandError, read_run

if TYPE_CHECKING:
    from trainingrun.api.notes import Note
    from trainingrun.api.training_run import TrainingRun
    from trainingrun.stages.context import Context


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and yield its exit code: 0, 1 where the manifest is wrong, 2 where the command is."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except CommandError as error:
        print(error, file=sys.stderr)
        return error.code
    except BrokenPipeError:  # the reader of the output, for example head, has seen enough
        sys.stderr.close()
        return OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="trainingrun", description="Look at a TrainingRun without a cluster.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    plan = _command(commands, "plan", _plan, "print every object of every stage's first attempt")
    plan.add_argument("--images", metavar="JSON", help="images by stage kind, as JSON or as a file of it")
    plan.add_argument("-o", "--output", choices=("yaml", "json"), default="yaml", help="how (default: %(default)s)")
    _command(commands, "check", _check, "print what is wrong with a run and what its configurations become")
    translate = _command(commands, "translate", _translate, "print the engine configurations that run")
    translate.add_argument("--stage", help="only this one: pretrain, sft-VARIANT, dpo-VARIANT, cpt-VARIANT")
    estimate = _command(commands, "estimate", _estimate, "sample the sources and print their tokens, bytes and hours")
    estimate.add_argument("--volume", metavar="FOLDER", help="a folder with what lies on the run's claim")
    estimate.add_argument("--pods", metavar="N", type=int, help="pods to tokenize with (default: the manifest's)")
    estimate.add_argument("--free", metavar="BYTES", help="what is free on the claim, such as 500Gi")
    estimate.add_argument("-o", "--output", choices=("text", "json"), default="text", help="how (default: %(default)s)")
    artifacts.register(commands)
    reproduce.register(commands)
    version = commands.add_parser("version", help="print the version")
    version.set_defaults(command=_version)
    return parser


def _command(commands: Any, name: str, run: Callable[[argparse.Namespace], int], what: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".")
    parser.add_argument("file", metavar="FILE", help="the manifest; - reads from standard input")
    parser.set_defaults(command=run)
    return parser


def _version(_: argparse.Namespace) -> int:
    print(trainingrun.__version__)
    return OK


def _estimate(options: argparse.Namespace) -> int:
    from trainingrun.commands import estimate

    return estimate.run(options)


def _check(options: argparse.Namespace) -> int:
    run = read_run(options.file)
    notes = _context(run).problems
    _print(f"{note.severity}: {note.path}: {note.message}" for note in notes)
    errors = sum(note.severity == "error" for note in notes)
    print(f"{run.metadata.name}: {errors or 'no'} error{'s' if errors != 1 else ''}.")
    return FAULTY if errors else OK


def _plan(options: argparse.Namespace) -> int:
    from trainingrun.api.yaml_text import dumped
    from trainingrun.plan import validity
    from trainingrun.plan.preview import first_attempts

    context = _context(read_run(options.file), _images(options.images))
    errors = validity.errors(context)
    if errors:
        raise CommandError("\n".join(f"{note.path}: {note.message}" for note in errors))
    objects = first_attempts(context)
    if options.output == "json":
        print(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}, indent=2))
    else:
        print("---\n".join(dumped(one) for one in objects), end="")
    return OK


def _translate(options: argparse.Namespace) -> int:
    from trainingrun.api.notes import errors
    from trainingrun.api.yaml_text import dumped

    translated = _context(read_run(options.file)).translated
    found: dict[str, tuple[dict[str, Any], tuple[Note, ...]]] = {
        "pretrain": (translated.pretrain.config, translated.pretrain.notes)
    }
    found |= {name: (one.config, one.notes) for name, one in translated.tuning.items()}
    if options.stage is not None:
        if options.stage not in found:
            has = ", ".join(found)
            raise CommandError(f"{options.file} translates no stage {options.stage}: choose one of {has}.", MISUSED)
        found = {options.stage: found[options.stage]}
    shown = ("".join(_comments(name, notes)) + dumped(config) for name, (config, notes) in found.items())
    print("---\n".join(shown), end="")
    return FAULTY if any(errors(notes) for _, notes in found.values()) else OK


def _comments(stage: str, notes: Iterable[Note]) -> Iterator[str]:
    yield f"# Stage {stage}\n"
    yield from (f"# {note.severity}: {note.message}\n" for note in notes)


def _context(run: TrainingRun, images: dict[str, str] | None = None) -> Context:
    from trainingrun.stages.context import Context
    from trainingrun.stages.settings import Settings

    settings = Settings()
    return Context(run, Settings(images=settings.images | (images or {})))


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
    known = isinstance(images, dict) and set(images) <= {*ROLES, "operator"}
    if not known or not all(isinstance(image, str) for image in images.values()):
        raise CommandError(f"--images takes a JSON object with images of {', '.join(ROLES)}.", MISUSED)
    return {role: image for role, image in images.items() if role in ROLES}


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


if __name__ == "__main__":
    sys.exit(main())
