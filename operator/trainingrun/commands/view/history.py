"""How attempts ended, what checkpoints score, what GPUs were spent on, and what the run says of itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from trainingrun.api.status import Attempt, CheckpointStatus, Condition, GpuHours, TrainingRunStatus
from trainingrun.commands.view.words import count, hours, lasted, seconds_since

SHOWN_ATTEMPTS: Final = 8
SHOWN_CHECKPOINTS: Final = 10
SHOWN_SCORES: Final = 5  # tasks; one a 15 columns
SCORE_WIDTH: Final = 15
GOOD: Final = frozenset({"Completed"})
LOST: Final = 3  # causes that are named
QUIET: Final = frozenset({"Ready", "Progressing", "Succeeded"})  # conditions that the first line tells already


def attempts(status: TrainingRunStatus, now: float, width: int, everything: bool) -> Iterator[RenderableType]:
    """The newest attempts that did not simply end well, the newest first: with why they ended and what was safe."""
    told = [one for one in reversed(status.attempts) if everything or one.cause not in GOOD]
    if not told:
        return
    yield Text("Attempts", "bold")
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for _ in range(3):
        table.add_column(no_wrap=True)
    table.add_column(overflow="fold", ratio=1)
    limit = None if everything else SHOWN_ATTEMPTS
    for one in told[:limit]:
        when = lasted(seconds_since(one.ended_at or one.started_at, now))
        style = "green" if one.ended_at is None or one.cause in GOOD else "red"
        cause = Text(one.cause or ("ended" if one.ended_at else "running"), style)
        table.add_row(f"  {one.stage} {one.number}", cause, f"{when} ago", Text(_why(one, width, everything), "dim"))
    yield table
    if limit is not None and len(told) > limit:
        yield Text(f"  and {len(told) - limit} more: --all", "dim")


def _why(one: Attempt, width: int, everything: bool) -> str:
    parts = [
        ", ".join(one.nodes) or one.node or "",
        f"safe to step {one.step:,}" if one.step is not None else "",
        one.message or "",
    ]
    said = ", ".join(part for part in parts if part)
    room = max(width - 44, 24)
    return said if everything or len(said) <= 2 * room else f"{said[: 2 * room - 1]}…"


def checkpoints(status: TrainingRunStatus, width: int, everything: bool) -> Iterator[RenderableType]:
    """The newest checkpoints that are evaluated, and the tasks' scores as far as they fit."""
    found = status.checkpoints
    if not found:
        return
    tasks = sorted({name for one in found for name in one.scores or {}})
    room = len(tasks) if everything else max(min(SHOWN_SCORES, (width - 24) // SCORE_WIDTH), 1)
    yield Text("Checkpoints", "bold")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("  step", justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for name in tasks[:room]:
        table.add_column(name.rpartition("/")[0][-SCORE_WIDTH:] or name, justify="right", no_wrap=True)
    shown = found if everything else found[-SHOWN_CHECKPOINTS:]
    for one in reversed(shown):
        table.add_row(f"  {one.step:,}", _state(one), *(_score(one, name) for name in tasks[:room]))
    yield table
    more = [f"{count(len(found) - len(shown), 'older checkpoint')}"] if len(shown) < len(found) else []
    more += [f"{count(len(tasks) - room, 'more task')}"] if room < len(tasks) else []
    if more:
        yield Text(f"  and {', '.join(more)}: --all", "dim")


def _state(one: CheckpointStatus) -> Text:
    if one.scores is not None:
        return Text("evaluated", "green")
    return Text("converted", "cyan") if one.converted else Text("to convert", "dim")


def _score(one: CheckpointStatus, name: str) -> str:
    value = (one.scores or {}).get(name)
    return "–" if value is None else f"{value:.4g}"


def gpu_hours(spent: GpuHours) -> Iterator[RenderableType]:
    """What GPUs of ended attempts were spent on; nothing where there were none."""
    lost = sum(spent.lost.values())
    if not spent.useful and not lost:
        return
    whole = max(spent.useful + lost, 1e-9)
    said = Text.assemble(
        ("GPU-hours  ", "bold"), (f"{hours(spent.useful)} useful", "green"), f" ({spent.useful / whole:.1%})"
    )
    if lost:
        causes = sorted(spent.lost.items(), key=lambda one: -one[1])
        named = ", ".join(f"{cause} {hours(number)}" for cause, number in causes[:LOST])
        said.append(f", {hours(lost)} lost", "red").append(f" ({named}{', …' if len(causes) > LOST else ''})", "dim")
    yield said


def conditions(found: Sequence[Condition], everything: bool) -> Iterator[RenderableType]:
    """Conditions that need a person or tell of more than the phase does."""
    for one in found:
        holds = one.status == "True"
        odd = holds if one.type not in ("Valid", *QUIET) else one.type == "Valid" and not holds
        if everything or odd:
            style = "red" if odd and one.type != "Suspended" else "yellow" if odd else "dim"
            yield Text(f"{one.type} is {one.status}: {one.reason}: {one.message}", style)


def remarks(status: TrainingRunStatus) -> Iterator[RenderableType]:
    """Nodes that are avoided, what was asked last, and warnings of the configuration."""
    if status.avoided_nodes:
        yield Text(f"Avoided nodes: {', '.join(status.avoided_nodes)}", "yellow")
    for why in dict.fromkeys(status.avoided_because.values()):
        nodes = [node for node, reason in status.avoided_because.items() if reason == why]
        yield Text(f"  {', '.join(nodes)}: {why}", "dim")
    if status.answer:
        yield Text(f"Asked last: {status.answer}", "dim")
    yield from (Text(f"Warning: {one}", "yellow") for one in status.warnings)
