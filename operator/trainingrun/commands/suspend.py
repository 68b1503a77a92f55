"""`trainingrun suspend`: let a run stand still, so that its GPUs are free."""

from __future__ import annotations

import typer

from trainingrun.commands.acting import Action, RunName, carry_out
from trainingrun.commands.manifest import CommandError
from trainingrun.commands.options import RUNS_PANEL, As, Kubeconfig, Kubecontext, Namespace, Output, Yes


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("suspend", rich_help_panel=RUNS_PANEL)(suspend)


def suspend(
    run: RunName,
    yes: Yes = False,
    namespace: Namespace = None,
    output: As = Output.TEXT,
    context: Kubecontext = None,
    kubeconfig: Kubeconfig = None,
) -> int:
    """Let a run save and stand still, so that its GPUs are free."""
    from trainingrun.cluster.kinds import RUN
    from trainingrun.commands.access import connect
    from trainingrun.commands.costs import costs_of

    cluster = connect(kubeconfig, context, namespace)
    found = cluster.run(run)
    if (phase := (found.get("status") or {}).get("phase")) == "Succeeded":
        raise CommandError(f"The run {run} has ended ({phase}): there is nothing to suspend.")
    if found["spec"].get("suspend"):
        raise CommandError(f"The run {run} is suspended already: trainingrun resume {run} lets it go on.")

    def do() -> str:
        cluster.merge(RUN, run, {"spec": {"suspend": True}})
        return f"{run} is suspended; its pods save and end. trainingrun resume {run} lets it go on."

    return carry_out(Action(run, f"Suspend {run}?", tuple(costs_of(found).suspending()), do), yes, output)
