"""`trainingrun retry`: try a stage again that has failed, or that backs off."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from trainingrun.commands.acting import Action, RunName, ask, carry_out, stage_of
from trainingrun.commands.manifest import CommandError
from trainingrun.commands.options import RUNS_PANEL, As, Kubeconfig, Kubecontext, Namespace, Output, Yes

SAID: Final = {"Succeeded": "is complete", "Running": "is running"}

Stage = Annotated[str, typer.Argument(metavar="STAGE", help="One of its stages, as trainingrun status names them.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("retry", rich_help_panel=RUNS_PANEL)(retry)


def retry(
    run: RunName,
    stage: Stage,
    yes: Yes = False,
    namespace: Namespace = None,
    output: As = Output.TEXT,
    context: Kubecontext = None,
    kubeconfig: Kubeconfig = None,
) -> int:
    """Try a stage again that has failed, from its newest checkpoint; one that backs off starts at once."""
    from trainingrun.commands.access import connect
    from trainingrun.commands.costs import costs_of

    cluster = connect(kubeconfig, context, namespace)
    found = cluster.run(run)
    known = stage_of(found, stage)
    if known["phase"] != "Failed" and known.get("notBefore") is None:
        how = SAID.get(known["phase"], f"has not failed: {known.get('message') or known['phase']}").rstrip(".")
        raise CommandError(f"Stage {stage} of {run} {how}.")
    costs = tuple(costs_of(found).retrying(stage))
    action = Action(run, f"Try stage {stage} of {run} again?", costs, lambda: ask(cluster, run, f"retry {stage}"))
    return carry_out(action, yes, output)
