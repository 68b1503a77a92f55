"""`trainingrun logs RUN [STAGE]`: what the pods of a run print, all ranks in one stream, also of past attempts."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trainingrun.commands import options
from trainingrun.commands.completing import run_names
from trainingrun.commands.manifest import INTERRUPTED, MISUSED, NOT_FOUND, OK, CommandError

if TYPE_CHECKING:
    from rich.console import Console

    from trainingrun.commands.access import Cluster
    from trainingrun.commands.logs.choice import Choice
    from trainingrun.commands.logs.lines import Line, Source
    from trainingrun.commands.volume_visit import Visit


def register(app: typer.Typer) -> None:
    """Add the command to the command line's."""
    app.command("logs", rich_help_panel=options.RUNS_PANEL)(logs)


def logs(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run.", autocompletion=run_names)],
    stage: Annotated[str | None, typer.Argument(metavar="[STAGE]", help="Only this stage, such as pretrain.")] = None,
    attempt: Annotated[
        str | None, typer.Option("--attempt", metavar="N", help="Only this attempt; all for every one that is kept.")
    ] = None,
    rank: Annotated[
        int | None, typer.Option("--rank", metavar="N", min=0, help="Only this rank of a gang, or pod of a Job.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Only what is as new: 30s, 10m, 2h or 3d.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, also over restarts, until the run ends.")
    ] = False,
    timestamps: Annotated[bool, typer.Option("--timestamps", help="Put the time before each line.")] = False,
    output: options.As = options.Output.TEXT,
    image: options.Image = None,
    namespace: options.Namespace = None,
    context: options.Kubecontext = None,
    kubeconfig: options.Kubeconfig = None,
) -> int:
    """Print what the pods of a run print, in the order of time.

    Without STAGE, --attempt and --since these are the pods that there are now, or of each stage the newest attempt
    where there are none. What is past is read from the volume, through a pod that is made for it.
    """
    from trainingrun.commands.access import connect
    from trainingrun.commands.logs.choice import Choice
    from trainingrun.commands.volume_pod import Kubectl
    from trainingrun.commands.volume_visit import Visit, claim_of

    choice = Choice(stage, _attempt(attempt), rank, _since(since))
    cluster = connect(kubeconfig, context, namespace)
    found = cluster.run(run)
    _check_stage(found, stage)
    printer = Printer(output, timestamps)
    kubectl = Kubectl(cluster.namespace, context, kubeconfig)
    try:
        if follow and not _ended(found, stage):
            printer.print(_following(cluster, run, choice))
            return OK
        with Visit(kubectl, claim_of(found), image) as visit:
            printer.print(Past(cluster, visit, found, choice).lines())
    except KeyboardInterrupt:
        return INTERRUPTED
    if not printer.printed:
        raise CommandError(_nothing(found, choice), NOT_FOUND)
    return OK


def _following(cluster: Cluster, run: str, choice: Choice) -> Iterator[Line]:
    from trainingrun.commands.logs.live import Following

    return (line for line in Following(cluster, run, choice).lines() if choice.shows(line))


@dataclass
class Past:
    """What was printed up to now."""

    cluster: Cluster
    visit: Visit
    run: dict[str, Any]
    choice: Choice

    def lines(self) -> Iterator[Line]:
        """The lines of pods that are there and of those on the volume, in the order of time."""
        from trainingrun.commands.logs.choice import ALL, kept, newest
        from trainingrun.commands.logs.lines import merged
        from trainingrun.commands.logs.live import log, pods

        live = pods(self.cluster, self.run["metadata"]["name"], self.choice)
        # A pod of the newest attempt has all that is asked for, unless older attempts are meant as well.
        enough = live and self.choice.attempt != ALL and self.choice.since is None
        files = [] if enough else self._files()
        there = {source for source, _ in live.values()}
        stored = kept(files, self.choice, there)
        meant = set(newest([*there, *(source for source, _ in stored)], self.choice))
        logs = [
            log(self.cluster, name, source, pod, self.choice.since)
            for name, (source, pod) in live.items()
            if source in meant or self.choice.of_now
        ]
        if stored:
            logs.append(self._stored(stored))
        return (line for line in merged(logs) if self.choice.shows(line))

    def _files(self) -> list[dict[str, Any]]:
        from trainingrun.api.training_run import TrainingRun
        from trainingrun.stages.layout import run_folder

        return list(self.visit.document("logs", run_folder(TrainingRun.from_object(self.run)))["logs"])

    def _stored(self, files: list[tuple[Source, str]]) -> Iterator[Line]:
        """The lines of files on the volume, which are put into order where they lie."""
        from trainingrun.commands.logs.lines import parsed, stamp

        since = ("--since", stamp(self.choice.since)) if self.choice.since else ()
        for raw in self.visit.lines("lines", *since, "--", *(file for _, file in files)):
            number, _, line = raw.partition(" ")
            yield parsed(line, files[int(number)][0], 0.0)


class Printer:
    """Lines on standard output, as text with a prefix in its rank's colour, or as documents."""

    def __init__(self, form: options.Output, timestamps: bool) -> None:
        self._form, self._timestamps = form, timestamps
        self.printed = 0

    def print(self, lines: Iterable[Line]) -> None:
        """Print each line at once."""
        from trainingrun.commands.printing import console

        on, width = console(), 0
        for line in lines:
            self.printed += 1
            if self._form is not options.Output.TEXT:
                print(self._document(line), flush=True)
                continue
            width = max(width, len(line.label))
            self._show(on, line, width)

    def _document(self, line: Line) -> str:
        """A JSON object on one line, or a YAML document with the mark that begins one."""
        from trainingrun.api.yaml_text import dumped

        if self._form is options.Output.JSON:
            return json.dumps(line.document(), ensure_ascii=False)
        return f"---\n{dumped(line.document())}".rstrip("\n")

    def _show(self, on: Console, line: Line, width: int) -> None:
        from rich.text import Text

        from trainingrun.commands.logs.lines import stamp

        before = f"{stamp(line.time)} " if self._timestamps else ""
        shown = Text(before, style="dim") + Text(line.label.ljust(width), style=line.colour) + Text(" | ", style="dim")
        on.print(shown + Text(line.text), soft_wrap=True)


def _attempt(given: str | None) -> int | str | None:
    if given is None or given == "all":
        return given
    if not given.isdigit() or int(given) < 1:
        raise CommandError(f"--attempt takes a number from 1 on, or all, and not {given}.", MISUSED)
    return int(given)


def _since(given: str | None) -> float | None:
    from trainingrun.commands.logs.lines import seconds

    if given is None:
        return None
    try:
        return time.time() - seconds(given)
    except ValueError as error:
        raise CommandError(f"--since takes a time such as 30s, 10m, 2h or 3d, and not {given}.", MISUSED) from error


def _stages(run: dict[str, Any]) -> list[dict[str, Any]]:
    return list((run.get("status") or {}).get("stages") or ())


def _check_stage(run: dict[str, Any], stage: str | None) -> None:
    import difflib

    known = [one["name"] for one in _stages(run)]
    if stage is None or not known or stage in known:
        return
    near = difflib.get_close_matches(stage, known, 1)
    mend = f"did you mean {near[0]}?" if near else f"it has {', '.join(known)}."
    raise CommandError(f"Run {run['metadata']['name']} has no stage {stage}: {mend}", NOT_FOUND)


def _ended(run: dict[str, Any], stage: str | None) -> bool:
    """Whether there is nothing left to follow."""
    phases = {one["name"]: one["phase"] for one in _stages(run)}
    return bool({(run.get("status") or {}).get("phase"), phases.get(stage or "")} & {"Succeeded", "Failed"})


def _nothing(run: dict[str, Any], choice: Choice) -> str:
    """Why there is no line, as far as it can be known."""
    name, status = run["metadata"]["name"], run.get("status") or {}
    if choice.attempt is not None or choice.since is not None or choice.rank is not None:
        return f"Nothing that run {name} has printed fits: ask for less, or use --attempt all."
    told = [one["message"] for one in status.get("conditions") or () if one["type"] in ("Stalled", "Progressing")]
    why = f" It is {status.get('phase', 'not looked at yet')}{': ' + told[0] if told else '.'}"
    return f"Run {name} has no pods, and none has left a log on its volume.{why}"
