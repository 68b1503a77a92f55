"""`trainingrun resume`: let a suspended run go on."""

from __future__ import annotations

import typer

from trainingrun.commands.acting import Action, RunName, carry_out
from trainingrun.commands.manifest import CommandError
from trainingrun.commands.options import RUNS_PANEL, As, Kubeconfig, Kubecontext, Namespace, Output, Yes


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("resume", rich_help_panel=RUNS_PANEL)(resume)


def resume(
    run: RunName,
    yes: Yes = False,
    namespace: Namespace = None,
    output: As = Output.TEXT,
    context: Kubecontext = None,
    kubeconfig: Kubeconfig = None,
) -> int:
    """Let a suspended run go on from where it saved."""
    from trainingrun.cluster.kinds import RUN
    from trainingrun.commands.access import connect
    from trainingrun.commands.costs import costs_of

    cluster = connect(kubeconfig, context, namespace)
    found = cluster.run(run)
    if not found["spec"].get("suspend"):
        raise CommandError(f"The run {run} is not suspended: trainingrun status {run} says what it waits for.")

    def do() -> str:
        cluster.merge(RUN, run, {"spec": {"suspend": False}})
        return f"{run} goes on: trainingrun status {run} --watch shows it."

    return carry_out(Action(run, f"Resume {run}?", tuple(costs_of(found).resuming()), do), yes, output)
