"""One run, and a table of all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from trainingrun.api.status import TrainingRunStatus
from trainingrun.api.training_run import parse_status
from trainingrun.commands.manifest import NO_CLUSTER, CommandError
from trainingrun.commands.view import history
from trainingrun.commands.view.stages import NARROW, stages
from trainingrun.commands.view.words import SIGNS, STYLES, lasted, seconds_since

ENDED: Final = frozenset({"Succeeded", "Failed"})

Raw = Mapping[str, Any]


@dataclass(frozen=True)
class RunView:
    """A run as it stood, drawn for the width and the time at which it is shown."""

    raw: Raw
    now: float
    everything: bool = False
    remark: str = ""  # what the viewer says, of a lost connection for example

    @property
    def status(self) -> TrainingRunStatus:
        """What the operator said; of a run that it has not seen yet, nothing."""
        return status_of(self.raw)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Rich's own protocol."""
        yield from self.parts(options.max_width)

    def parts(self, width: int) -> Iterator[RenderableType]:
        """The picture, from what matters most to what matters least, so that it may be cut below."""
        status = self.status
        yield _head(self.raw, status, self.now)
        if self.remark:
            yield Text(self.remark, "bold yellow")
        yield from history.conditions(status.conditions, self.everything)
        yield Text("")
        if not status.stages:
            yield Text("The operator has not looked at this run yet.", "dim")
            return
        yield stages(status, self.now, width)
        for part in (
            [*history.gpu_hours(status.gpu_hours)],
            [*history.attempts(status, self.now, width, self.everything)],
            [*history.checkpoints(status, width, self.everything)],
            [*history.remarks(status)],
        ):
            if part:
                yield Group(Text(""), *part)


def _head(raw: Raw, status: TrainingRunStatus, now: float) -> Text:
    metadata = raw["metadata"]
    phase = phase_of(raw, status)
    said = Text.assemble((metadata["name"], "bold"), "  ", (f"{SIGNS[phase]} {phase}", STYLES[phase]))
    said.append(f"  namespace {metadata.get('namespace', 'default')}", "dim")
    said.append(f", made {lasted(seconds_since(metadata.get('creationTimestamp'), now))} ago", "dim")
    if status.restarts:
        said.append(f", {status.restarts} restart{'' if status.restarts == 1 else 's'}", "dim")
    return said


def phase_of(raw: Raw, status: TrainingRunStatus) -> str:
    """Where the run stands; Suspended as soon as that is asked for and nothing runs."""
    asked = bool((raw.get("spec") or {}).get("suspend"))
    return "Suspended" if asked and status.phase in ("Pending", "Waiting") else status.phase


def status_of(raw: Raw) -> TrainingRunStatus:
    """A run's status; CommandError where it is of a version that this one can't read."""
    try:
        return parse_status(raw.get("status") or {})
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise CommandError(
            f"The status of {raw['metadata']['name']} is of another version than this command "
            f"(status.{where}): use the command of the cluster's version, or print it with -o yaml.",
            NO_CLUSTER,
        ) from error


def line(raw: Raw, now: float) -> str:
    """A run in one line without colour, for logs of a watch."""
    status = status_of(raw)
    parts = [phase_of(raw, status), status.stage or "", status.progress or ""]
    parts += [f"loss {status.loss}"] if status.loss else []
    parts += [f"{status.eta} left"] if status.eta else []
    return " ".join([raw["metadata"]["name"], *(part for part in parts if part)])


def table(runs: Iterable[Raw], now: float, width: int, everywhere: bool) -> RenderableType:
    """A line for each run."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    names = (["namespace"] if everywhere else []) + ["run", "phase", "stage", "done"]
    names += ["loss", "left", "age"] if width >= NARROW else ["left"]
    for name in names:
        made.add_column(name, no_wrap=True)
    for raw in runs:
        made.add_row(*_cells(raw, now, names))
    return made


def _cells(raw: Raw, now: float, names: list[str]) -> Iterator[RenderableType]:
    status, metadata = status_of(raw), raw["metadata"]
    phase = phase_of(raw, status)
    cells: dict[str, RenderableType] = {
        "namespace": metadata.get("namespace", ""),
        "run": Text(metadata["name"], "bold"),
        "phase": Text(f"{SIGNS[phase]} {phase}", STYLES[phase]),
        "stage": status.stage or "–",
        "done": _done(status),
        "loss": status.loss or "–",
        "left": status.eta or "–",
        "age": lasted(seconds_since(metadata.get("creationTimestamp"), now)),
    }
    return (cells[name] for name in names)


def _done(status: TrainingRunStatus) -> str:
    step, _, total = (status.progress or "").partition("/")
    return f"{int(step) / int(total):.0%}" if step.isdecimal() and total.isdecimal() and int(total) else "–"
