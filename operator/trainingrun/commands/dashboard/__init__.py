"""`trainingrun dashboard`: a page on 127.0.0.1 that shows runs, with the rights of the user's kubeconfig.

Nothing is installed in the cluster and nothing in it is changed: the page asks this process, and this process reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from trainingrun.commands.manifest import MISUSED, OK, CommandError
from trainingrun.commands.options import RUNS_PANEL, Image, Kubeconfig, Kubecontext, Namespace

if TYPE_CHECKING:
    from trainingrun.commands.dashboard.volume_curves import Visits

Everywhere = Annotated[bool, typer.Option("--all-namespaces", "-A", help="Show the runs of all namespaces.")]
Port = Annotated[
    int, typer.Option("--port", "-p", min=0, max=65535, help="Of 127.0.0.1; 0 takes one that is free.", metavar="PORT")
]
Volume = Annotated[
    bool, typer.Option("--volume", help="Read whole curves off the claims too, by a short pod on each now and then.")
]
Open = Annotated[bool, typer.Option("--open", help="Open the page in a browser.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("dashboard", rich_help_panel=RUNS_PANEL)(dashboard)


def dashboard(
    namespace: Namespace = None,
    everywhere: Everywhere = False,
    port: Port = 0,
    open_it: Open = False,
    volume: Volume = False,
    image: Image = None,
    context: Kubecontext = None,
    kubeconfig: Kubeconfig = None,
) -> int:
    """Show runs on a page of this machine's own, until Ctrl-C."""
    import asyncio

    from trainingrun.commands.dashboard.board import Board
    from trainingrun.commands.dashboard.reader import Reader
    from trainingrun.commands.dashboard.server import application, new_token, serve
    from trainingrun.commands.kubeconfig import place

    where = place(kubeconfig, context, namespace)
    shown = None if everywhere else where.namespace
    board = Board(Reader(where), shown, visits=_visits(context, kubeconfig, image) if volume else None)
    token = new_token()

    def told(taken: int) -> None:
        _tell(f"http://127.0.0.1:{taken}/{token}/", open_it)

    try:
        asyncio.run(serve(application(board, token, f"context {where.context}"), port, told))
    except OSError as error:
        raise CommandError(
            f"Port {port} of 127.0.0.1 can't be used: {error.strerror}. Choose another.", MISUSED
        ) from error
    except KeyboardInterrupt:
        return OK
    return OK


def _visits(context: str | None, kubeconfig: str | None, image: str | None) -> Visits:
    from trainingrun.commands.volume_pod import Kubectl
    from trainingrun.commands.volume_visit import Visit

    return lambda namespace, claim: Visit(Kubectl(namespace, context, kubeconfig), claim, image)


def _tell(address: str, open_it: bool) -> None:
    print(f"{address}\nThe address is for you alone: whoever has it sees your runs. Ctrl-C ends it.", flush=True)
    if open_it:
        import webbrowser

        if not webbrowser.open(address):
            print("No browser could be started: open the address yourself.", flush=True)
