"""`trainingrun doctor`: whether a cluster is fit for runs, or for one of them, and what to mend where it isn't."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from trainingrun.commands.manifest import FAULTY, OK, CommandError, read_run
from trainingrun.commands.options import RUNS_PANEL, As, Kubeconfig, Kubecontext, Namespace, Output
from trainingrun.commands.printing import console, document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trainingrun.commands.doctor.findings import Finding
    from trainingrun.commands.doctor.needs import Needs

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}
Manifest = Annotated[
    str | None, typer.Option("--file", "-f", metavar="FILE", help="A manifest: is the cluster fit for that run?")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor", rich_help_panel=RUNS_PANEL)(doctor)


def doctor(
    file: Manifest = None,
    namespace: Namespace = None,
    context: Kubecontext = None,
    kubeconfig: Kubeconfig = None,
    output: As = Output.TEXT,
) -> int:
    """Look whether the cluster is fit: definitions, controllers, storage, GPUs, quotas, rights; each with its mend."""
    from trainingrun.commands.doctor.decide import decide
    from trainingrun.commands.doctor.observing import observe
    from trainingrun.commands.kubeconfig import place

    needs, given = _needs(file) if file is not None else (None, None)
    where = place(kubeconfig, context, namespace or given)
    findings = decide(observe(where, needs.secrets if needs is not None else ()), needs)
    if output is Output.TEXT:
        _tell(findings, where.context, where.namespace, needs)
    else:
        document(_document(findings, where.context, where.namespace, needs), output)
    return FAULTY if any(one.level == "fail" for one in findings) else OK


def _needs(file: str) -> tuple[Needs, str | None]:
    """What a run needs, and the namespace that its manifest names; CommandError where the run is at fault itself."""
    from trainingrun.commands.context import context_of
    from trainingrun.commands.doctor.needs import needs
    from trainingrun.plan import validity

    run = read_run(file)
    context = context_of(run)
    errors = validity.errors(context)
    if errors:
        raise CommandError("\n".join(f"{note.path}: {note.message}" for note in errors))
    return needs(context), run.metadata.namespace if run.metadata.namespace != "default" else None


def _tell(findings: Sequence[Finding], context: str, namespace: str, needs: Needs | None) -> None:
    from rich.table import Table
    from rich.text import Text

    to = console()
    what = f" for run {needs.name}" if needs is not None else ""
    to.print(f"Cluster of context {context}, namespace {namespace}{what}", markup=False)
    table = Table.grid(padding=(0, 2))
    for column in ("level", "check"):
        table.add_column(column, no_wrap=True)
    table.add_column("message", overflow="fold")
    for one in findings:
        said = Text(one.message)
        if one.mend:
            said.append(f"\n→ {one.mend}", style="italic")
        table.add_row(Text(one.level, style=COLOURS[one.level]), one.check, said)
    to.print(table)
    to.print(_sum(findings), markup=False)


def _sum(findings: Sequence[Finding]) -> str:
    fails, warns = (sum(one.level == level for one in findings) for level in ("fail", "warn"))
    if fails:
        return f"Not fit: {fails} to mend, {warns} worth a look."
    return f"Fit; {warns} worth a look." if warns else "Fit."


def _document(findings: Sequence[Finding], context: str, namespace: str, needs: Needs | None) -> dict[str, Any]:
    return {
        "context": context,
        "namespace": namespace,
        "run": needs.name if needs is not None else None,
        "fit": all(one.level != "fail" for one in findings),
        "findings": [
            {"level": one.level, "check": one.check, "message": one.message, "mend": one.mend or None}
            for one in findings
        ],
    }
