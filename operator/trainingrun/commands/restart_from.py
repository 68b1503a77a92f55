"""`trainingrun restart-from`: go back to an earlier checkpoint, with the same data or without some of them."""

from __future__ import annotations

from typing import Annotated

import typer

from trainingrun.commands.acting import Action, RunName, ask, carry_out, stage_of
from trainingrun.commands.manifest import CommandError
from trainingrun.commands.options import RUNS_PANEL, As, Kubeconfig, Kubecontext, Namespace, Output, Yes

Step = Annotated[int, typer.Argument(metavar="STEP", min=0, help="The step of a complete checkpoint.")]
LeaveOut = Annotated[
    int,
    typer.Option("--leave-out", metavar="STEPS", min=0, help="Leave out the data of so many steps that followed it."),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("restart-from", rich_help_panel=RUNS_PANEL)(restart_from)


def restart_from(
    run: RunName,
    step: Step,
    leave_out: LeaveOut = 0,
    yes: Yes = False,
    namespace: Namespace = None,
    output: As = Output.TEXT,
    context: Kubecontext = None,
    kubeconfig: Kubeconfig = None,
) -> int:
    """Let pretraining go on from an earlier checkpoint, after a loss that looks wrong for example."""
    from trainingrun.commands.access import connect
    from trainingrun.commands.costs import costs_of

    cluster = connect(kubeconfig, context, namespace)
    found = cluster.run(run)
    if stage_of(found, "pretrain")["phase"] == "Succeeded":
        raise CommandError(f"Stage pretrain of {run} is complete: start a new run.")
    costs = tuple(costs_of(found).going_back(step, leave_out))
    action = Action(
        run, f"Go back to step {step:,}?", costs, lambda: ask(cluster, run, f"restart-from {step} {leave_out}")
    )
    return carry_out(action, yes, output)
