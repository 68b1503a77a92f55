"""`trainingrun compare RUN RUN...`: which settings differ between runs, and what came out of each."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from trainingrun.commands import options
from trainingrun.commands.completing import run_names
from trainingrun.commands.manifest import MISUSED, OK, CommandError

if TYPE_CHECKING:
    from trainingrun.commands.differences import Rows
    from trainingrun.commands.figures import Measured
    from trainingrun.commands.volume_visit import Visit

TITLES: Final = {"settings": "Settings that differ", "results": "What came out", "scores": "Scores"}
WIDEST: Final = 60  # characters of a value


def register(app: typer.Typer) -> None:
    """Add the command to the command line's."""
    app.command("compare", rich_help_panel=options.RUNS_PANEL)(compare)


def compare(
    names: Annotated[
        list[str], typer.Argument(metavar="RUN RUN...", help="Two runs or more.", autocompletion=run_names)
    ],
    output: options.As = options.Output.TEXT,
    image: options.Image = None,
    namespace: options.Namespace = None,
    context: options.Kubecontext = None,
    kubeconfig: options.Kubeconfig = None,
) -> int:
    """Compare runs: settings that differ, tokens, losses, scores and GPU-hours.

    Curves and scores are read from the runs' volumes, through a pod that is made for it.
    """
    from trainingrun.commands import differences
    from trainingrun.commands.access import connect
    from trainingrun.commands.printing import document
    from trainingrun.commands.volume_pod import Kubectl
    from trainingrun.commands.volume_visit import Visit

    names = list(dict.fromkeys(names))
    if len(names) < 2:
        raise CommandError("compare takes two runs or more.", MISUSED)
    cluster = connect(kubeconfig, context, namespace)
    runs = [cluster.run(name) for name in names]
    kubectl = Kubectl(cluster.namespace, context, kubeconfig)
    found = _measured(runs, lambda claim: Visit(kubectl, claim, image))
    report = {
        "runs": names, "settings": differences.settings(found), "results": differences.results(found),
        "scores": differences.scores(found),
    }  # fmt: skip
    if output == options.Output.TEXT:
        _show(report, names)
    else:
        document(report, output)
    return OK


def _measured(runs: Sequence[Mapping[str, Any]], visit: Callable[[str], Visit]) -> list[Measured]:
    """What the runs have measured, or only what their status says where the volume can't be read."""
    from trainingrun.commands.figures import Measured, measured

    try:
        return measured(runs, visit)
    except CommandError as error:
        print(f"{error} So losses and scores are those of the status alone.", file=sys.stderr)
        return [Measured(run) for run in runs]


def _show(report: Mapping[str, Any], names: Sequence[str]) -> None:
    from rich import box
    from rich.table import Table

    from trainingrun.commands.printing import console

    on = console()
    for key, title in TITLES.items():
        rows: Rows = report[key]
        if not rows:
            on.print(f"{title}: none.")
            continue
        table = Table("", *names, title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
        for what, row in rows.items():
            values = [row[name] for name in names]
            same = all(value == values[0] for value in values)
            table.add_row(what, *map(shown, values), style="dim" if same else None)
        on.print(table)


def shown(value: Any) -> str:
    """A value as a cell has it."""
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, int | float):
        text = value if isinstance(value, str) else json.dumps(value)
        return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
