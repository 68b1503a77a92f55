"""`trainingrun get-model RUN [MODEL] DEST`: a released folder on this machine, whole and checked."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from trainingrun.commands import options
from trainingrun.commands.completing import run_names
from trainingrun.commands.manifest import FAULTY, INTERRUPTED, NOT_FOUND, OK, CommandError

if TYPE_CHECKING:
    from trainingrun.commands.get_model.copying import Release

BASE: Final = "release"  # the stage that releases the base model; a variant's is release-VARIANT


def register(app: typer.Typer) -> None:
    """Add the command to the command line's."""
    app.command("get-model", rich_help_panel=options.MODELS_PANEL)(get_model)


def get_model(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run.", autocompletion=run_names)],
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[MODEL] DEST",
            help="A variant, or the base model where it is left out; and the folder to make.",
        ),
    ],
    output: options.As = options.Output.TEXT,
    image: options.Image = None,
    namespace: options.Namespace = None,
    context: options.Kubecontext = None,
    kubeconfig: options.Kubeconfig = None,
) -> int:
    """Copy a released model off the run's volume.

    The copy goes on where an earlier one was cut off, is checked against the release's checksums, and appears under
    its name only when it is whole.
    """
    from trainingrun.commands.access import connect
    from trainingrun.commands.get_model.copying import Copy
    from trainingrun.commands.printing import document
    from trainingrun.commands.volume_pod import Kubectl
    from trainingrun.commands.volume_visit import Visit, claim_of

    *model, target = words
    if len(model) > 1:
        raise typer.BadParameter("name one model and one folder to make")
    cluster = connect(kubeconfig, context, namespace)
    found = cluster.run(run)
    release = released(found, model[0] if model else None)
    begun = time.monotonic()
    try:
        with Visit(Kubectl(cluster.namespace, context, kubeconfig), claim_of(found), image) as visit, _bar() as moved:
            copy = Copy(visit, release, Path(target).absolute(), moved)
            there = copy.is_there()
            size = 0 if there else copy.make()
    except KeyboardInterrupt:
        print(f"What has arrived stays in {target}.part; the same command goes on from there.", file=sys.stderr)
        return INTERRUPTED
    report = {"model": release.name, "folder": str(copy.target), "bytes": size, "sha256": release.sha256}
    if output != options.Output.TEXT:
        document(report, output)
    elif there:
        print(f"{release.name} is in {target} already; every checksum holds.")
    else:
        print(f"{release.name} is in {target}: {size:,} bytes in {time.monotonic() - begun:.0f} s, checksums hold.")
    return OK


def released(run: Mapping[str, Any], model: str | None) -> Release:
    """The release of a model by its variant's name, its own or, for the base model, none; CommandError without one."""
    from trainingrun.commands.get_model.copying import Release

    stages = {one["name"]: one for one in (run.get("status") or {}).get("stages") or () if one["kind"] == "release"}
    name = run["metadata"]["name"]
    variant = None if model in (None, name) else str(model).removeprefix(f"{name}-")
    wanted = BASE if variant is None else f"{BASE}-{variant}"
    if wanted not in stages:
        raise CommandError(_no_such(name, model, list(stages)), NOT_FOUND)
    stage = stages[wanted]
    told = stage.get("output") or {}
    if stage["phase"] != "Succeeded" or not {"path", "sha256"} <= set(told):
        said = f": {stage['message']}" if stage.get("message") else "."
        raise CommandError(f"Run {name} has not released {model or name} yet; stage {wanted} is {stage['phase']}{said}",
                           FAULTY)  # fmt: skip
    return Release(told.get("name", name), told["path"], told["sha256"])


def _no_such(run: str, model: str | None, stages: list[str]) -> str:
    variants = [one.removeprefix(f"{BASE}-") for one in stages if one != BASE]
    if not stages:
        return f"Run {run} releases no model, or its stages are not known yet."
    has = ", ".join([*([run] if BASE in stages else []), *variants])
    return f"Run {run} releases no model {model or run}: choose one of {has}."


@contextmanager
def _bar() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar on a terminal's standard error, a file a line; nothing elsewhere."""
    from trainingrun.commands.printing import console

    on = console(stderr=True)
    if not on.is_terminal:
        yield lambda name, have, size: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=on, transient=True) as progress:
        tasks: dict[str, Any] = {}

        def moved(name: str, have: int, size: int) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(name, total=size)
            progress.update(tasks[name], completed=have)

        yield moved
