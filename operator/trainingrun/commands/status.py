"""`trainingrun status`: all runs, or one with its stages, attempts, checkpoints and GPU-hours."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trainingrun.commands.completing import run_names
from trainingrun.commands.manifest import FAULTY, MISUSED, OK, CommandError
from trainingrun.commands.options import RUNS_PANEL, As, Kubeconfig, Kubecontext, Namespace, Output
from trainingrun.commands.printing import console, document

if TYPE_CHECKING:
    from trainingrun.commands.access import Cluster

Run = Annotated[
    str | None, typer.Argument(metavar="[RUN]", help="One run (default: a line for each).", autocompletion=run_names)
]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Keep it up to date, until the run has ended.")]
Everywhere = Annotated[bool, typer.Option("--all-namespaces", "-A", help="The runs of all namespaces.")]
All = Annotated[bool, typer.Option("--all", help="Every attempt, checkpoint, task and condition that the status has.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("status", rich_help_panel=RUNS_PANEL)(status)


def status(
    run: Run = None,
    watch: Watch = False,
    everything: All = False,
    namespace: Namespace = None,
    everywhere: Everywhere = False,
    output: As = Output.TEXT,
    context: Kubecontext = None,
    kubeconfig: Kubeconfig = None,
) -> int:
    """Print where runs stand: a line for each, or the stages, attempts, checkpoints and GPU-hours of one."""
    from trainingrun.commands.access import connect

    if run is not None and everywhere:
        raise CommandError("A run is named and --all-namespaces given: leave one of them out.", MISUSED)
    if watch and (run is None or output is not Output.TEXT):
        raise CommandError("--watch is for one run, as text: name the run, and leave --output out.", MISUSED)
    cluster = connect(kubeconfig, context, namespace)
    if run is None:
        return _all(cluster, everywhere, output)
    found = cluster.run(run)
    if watch:
        from trainingrun.commands.watching import watch_run

        found = watch_run(cluster, found, everything)
    elif output is Output.TEXT:
        from trainingrun.commands.view.run import RunView

        console().print(RunView(found, time.time(), everything))
    else:
        document(_document(found), output)
    return FAULTY if (found.get("status") or {}).get("phase") == "Failed" else OK


def _all(cluster: Cluster, everywhere: bool, output: Output) -> int:
    runs = sorted(cluster.runs(everywhere), key=lambda one: (one["metadata"]["namespace"], one["metadata"]["name"]))
    if output is not Output.TEXT:
        document({"runs": [_document(one) for one in runs]}, output)
    elif not runs:
        where = "any namespace" if everywhere else f"namespace {cluster.namespace}"
        more = "" if everywhere else ": -n NAMESPACE looks into another, -A into all"
        print(f"There is no run in {where} of context {cluster.context}{more}.")
    else:
        from trainingrun.commands.view.run import table

        shown = console()
        shown.print(table(runs, time.time(), shown.width, everywhere))
    return OK


def _document(raw: Mapping[str, Any]) -> dict[str, Any]:
    """What scripts may read: the status as docs/reference.md has it, below the run's name."""
    metadata = raw["metadata"]
    return {
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "createdAt": metadata.get("creationTimestamp"),
        "suspend": bool(raw["spec"].get("suspend")),
        "status": raw.get("status") or {},
    }
