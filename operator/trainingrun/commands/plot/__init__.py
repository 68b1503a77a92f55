"""`trainingrun plot RUN...`: curves and scores of one run or of several, in the terminal, as PNG or as a page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from trainingrun.commands import options
from trainingrun.commands.completing import run_names
from trainingrun.commands.manifest import MISUSED, NOT_FOUND, OK, CommandError

if TYPE_CHECKING:
    from trainingrun.commands.figures import Measured
    from trainingrun.commands.plot.panels import Panel

IN_TERMINAL: Final = 10  # panels at most; a file has all of them
FIGURES: Final = {
    "steps": "steps", "tokens": "tokens", "firstLoss": "first loss", "lastLoss": "last loss", "bestLoss": "best loss",
    "tokensPerSecond": "tokens/s, median",
}  # fmt: skip


class Over(StrEnum):
    """What the horizontal axis counts."""

    STEPS = "steps"
    TOKENS = "tokens"


def register(app: typer.Typer) -> None:
    """Add the command to the command line's."""
    app.command("plot", rich_help_panel=options.RUNS_PANEL)(plot)


def plot(
    names: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="One run, or several in one figure.", autocompletion=run_names)
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE|json|yaml",
            help="A .png or .html, or the curves printed as a document (default: drawn in the terminal).",
        ),
    ] = None,
    stage: Annotated[str, typer.Option("--stage", help="The stage that trained, such as sft-instruct.")] = "pretrain",
    over: Annotated[Over, typer.Option("--over", help="What the horizontal axis counts.")] = Over.STEPS,
    only: Annotated[
        str | None, typer.Option("--only", metavar="WORDS", help="Only panels whose title has these words.")
    ] = None,
    image: options.Image = None,
    namespace: options.Namespace = None,
    context: options.Kubecontext = None,
    kubeconfig: options.Kubeconfig = None,
) -> int:
    """Draw loss, learning rate, gradient norm, tokens a second and scores.

    The curves are read from the runs' volumes, through a pod that is made for it.
    """
    from trainingrun.commands.access import connect
    from trainingrun.commands.figures import measured
    from trainingrun.commands.plot.panels import panels
    from trainingrun.commands.printing import document
    from trainingrun.commands.volume_pod import Kubectl
    from trainingrun.commands.volume_visit import Visit

    printed = output in options.DOCUMENTS
    write = None if output is None or printed else writer(Path(output))
    cluster = connect(kubeconfig, context, namespace)
    runs = [cluster.run(name) for name in dict.fromkeys(names)]
    kubectl = Kubectl(cluster.namespace, context, kubeconfig)
    found = measured(runs, lambda claim: Visit(kubectl, claim, image))
    every = panels(found, stage, over)
    chosen = [one for one in every if only is None or only.lower() in one.title.lower()]
    if not chosen:
        raise CommandError(nothing(found, stage, [one.title for one in every]), NOT_FOUND)
    if output is None:
        show(chosen, over)
    elif write is None:
        document(curves(found, chosen, stage, over), options.Output(output))
    else:
        write_file(Path(output), write(found, chosen, stage, over))
        print(
            f"{output}: {len(chosen)} panel{'s' if len(chosen) > 1 else ''} of {', '.join(one.name for one in found)}."
        )
    return OK


def curves(runs: Sequence[Measured], panels: Sequence[Panel], stage: str, over: str) -> dict[str, Any]:
    """What is drawn as a document for scripts: figures by run, and the points [x, y] of each line of each panel."""
    return {
        "stage": stage, "over": str(over), "figures": {run.name: dict(run.summary(stage)) for run in runs},
        "panels": [
            {"title": one.title, "lines": [{"label": line.label, "points": [[*point] for point in line.points]}
                                           for line in one.lines]}
            for one in panels
        ],
    }  # fmt: skip


def png(runs: Sequence[Measured], panels: Sequence[Panel], stage: str, over: str) -> bytes:
    """One picture of all panels."""
    from trainingrun.commands.plot.picture import drawn

    return drawn(panels, f"{', '.join(run.name for run in runs)}: {stage}", over)


def html(runs: Sequence[Measured], panels: Sequence[Panel], stage: str, over: str) -> bytes:
    """One page that needs nothing else: the panels, and a table of the curves' figures."""
    from trainingrun.commands.plot.svg import drawn
    from trainingrun_workers.report.page import Section, page, table

    names = [run.name for run in runs]
    rows = [
        [title, *(_figure(run.summary(stage).get(key)) for run in runs)]
        for key, title in FIGURES.items()
        if any(key in run.summary(stage) for run in runs)
    ]
    pictures = tuple(drawn(one, over) for one in panels)
    section = Section(stage, pictures, (table(["", *names], rows),) if rows else ())
    return page(", ".join(names), [section]).encode()


FORMS: Final = {".png": png, ".html": html}


def writer(output: Path) -> Callable[[Sequence[Measured], Sequence[Panel], str, str], bytes]:
    """What makes a file of this name; CommandError where it is neither of those there are."""
    if output.suffix.lower() not in FORMS:
        raise CommandError(f"{output} is neither .png nor .html, nor json or yaml: name it as one of them.", MISUSED)
    return FORMS[output.suffix.lower()]


def write_file(output: Path, content: bytes) -> None:
    """Write a file in one piece; CommandError where that is refused."""
    temporary = output.with_name(f".{output.name}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(output)
    except OSError as error:
        raise CommandError(f"{output} can't be written: {error.strerror}.", MISUSED) from error


def show(panels: Sequence[Panel], over: str) -> None:
    """Draw in the terminal."""
    from trainingrun.commands.plot.terminal import drawn, plain
    from trainingrun.commands.printing import console

    on = console()
    braille = "utf" in (on.encoding or "").lower()
    for number, panel in enumerate(panels[:IN_TERMINAL]):
        lines = list(drawn(panel, over, on.width, braille))
        for line in lines if braille else plain(lines):
            on.print(line, no_wrap=True, overflow="crop")
        if number + 1 < min(len(panels), IN_TERMINAL):
            on.print()
    if len(panels) > IN_TERMINAL:
        on.print(f"\n{len(panels) - IN_TERMINAL} more panels: -o plot.html has all of them, --only WORDS some.")


def nothing(runs: Sequence[Measured], stage: str, titles: Sequence[str]) -> str:
    """Why there is nothing to draw."""
    if titles:
        return f"No panel has these words in its title: there are {', '.join(titles)}."
    return " ".join(_without(run, stage) for run in runs)


def _without(run: Measured, stage: str) -> str:
    known: list[dict[str, Any]] = list(run.status.get("stages") or ())
    one = next((one for one in known if one["name"] == stage), None)
    if one is None:
        trained = ", ".join(run.curves) or "none yet"
        return f"Run {run.name} has no stage {stage}; stages that train: {trained}."
    said = f": {one['message']}" if one.get("message") else "."
    return f"Run {run.name} has no metrics yet: stage {stage} is {one['phase']}{said}"


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
