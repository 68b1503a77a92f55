"""The stages of a run with bars, and the curve of the one that trains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from trainingrun.api.names import TUNING_KINDS
from trainingrun.api.status import StageStatus, TrainingRunStatus
from trainingrun.commands.view.words import SIGNS, STYLES, lasted, seconds_since, sparkline

NARROW: Final = 80  # columns below which a stage gets fewer of its own
TINY: Final = 50  # below which its sign alone tells its phase
SPARK: Final = 32
TRAINING: Final = ("pretrain", *TUNING_KINDS)


def stages(status: TrainingRunStatus, now: float, width: int) -> RenderableType:
    """A line for each stage, and below the one that trains its curve."""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, overflow="ellipsis", max_width=max(width // 3, 16))
    table.add_column(no_wrap=True)
    table.add_column(width=24 if width >= NARROW else 10 if width >= TINY else 4)
    for _ in range(2 if width < NARROW else 3):
        table.add_column(no_wrap=True, justify="right")
    for stage in status.stages:
        cells = [_name(stage), Text(_phase(stage, width), STYLES[stage.phase]), _bar(stage), Text(_steps(stage, width))]
        cells.append(Text(_time(stage, now)))
        if width >= NARROW:
            cells.append(Text(_attempts(stage), "dim"))
        table.add_row(*cells)
    told = [Padding(line, (0, 0, 0, 2)) for stage in status.stages for line in _besides(stage, width)]
    return Group(table, *([Text("")] if told else []), *told)


def _name(stage: StageStatus) -> Text:
    return Text.assemble((f"{SIGNS[stage.phase]:2} ", STYLES[stage.phase]), stage.name)


def _phase(stage: StageStatus, width: int) -> str:
    if width < TINY:
        return ""
    return "done" if stage.phase == "Succeeded" else stage.phase.lower()


def _bar(stage: StageStatus) -> RenderableType:
    if stage.phase == "Succeeded":
        return ProgressBar(total=1, completed=1, finished_style="green")
    progress = stage.progress
    if progress is None or not progress.total:
        return Text("")
    return ProgressBar(
        total=progress.total,
        completed=min(progress.step, progress.total),
        complete_style="cyan",
        finished_style="green",
    )


def _steps(stage: StageStatus, width: int) -> str:
    progress = stage.progress
    if progress is None or not progress.total or stage.phase == "Succeeded":
        return ""
    percent = f"{progress.step / progress.total:.0%}"
    return percent if width < NARROW else f"{percent}  {progress.step:,}/{progress.total:,} {progress.unit}"


def _time(stage: StageStatus, now: float) -> str:
    """What is left of a stage that runs, and what another took."""
    progress = stage.progress
    if stage.phase == "Running" and progress is not None and progress.eta_seconds is not None:
        since = seconds_since(progress.reported_at, now) or 0.0
        return f"{lasted(max(progress.eta_seconds - since, 0.0))} left"
    started, ended = seconds_since(stage.started_at, now), seconds_since(stage.finished_at, now)
    if started is None:
        return ""
    return f"took {lasted(started - ended)}" if ended is not None else f"for {lasted(started)}"


def _attempts(stage: StageStatus) -> str:
    again = stage.restarts + stage.preemptions
    return "" if not again else f"{again} restart{'' if again == 1 else 's'}"


def _besides(stage: StageStatus, width: int) -> Iterator[Text]:
    """What has no room in a stage's line: its curve and speed, and why it stands still."""
    if stage.phase == "Running" and stage.kind in TRAINING:
        yield _curve(stage, width)
        yield from _measured(stage)
    yield from _preflight(stage)
    ok = stage.phase in ("Succeeded", "Pending") or stage.reason in ("Running", "Started")
    if not ok and stage.message and stage.reason not in ("WaitingForStage", "WaitingForCheckpoints", "Suspended"):
        yield Text(f"{stage.name}: {stage.reason}: {stage.message}", STYLES[stage.phase])
    for note in stage.progress.notes if stage.progress is not None and stage.phase == "Running" else ():
        yield Text(f"{stage.name}: {note}", "yellow")


def _preflight(stage: StageStatus) -> Iterator[Text]:
    """What the last pre-flight came to, while the stage is not done."""
    found = stage.preflight
    if found is None or stage.phase == "Succeeded":
        return
    yield Text(f"{stage.name}: pre-flight of attempt {found.attempt}: {found.measured}", "dim")
    if found.found:
        yield Text(f"{stage.name}: found before attempt {found.attempt}: {found.found}", "yellow")


def _measured(stage: StageStatus) -> Iterator[Text]:
    """How a gang uses its time and memory, where it measures that."""
    found = stage.progress.measured if stage.progress is not None else None
    if found is None:
        return
    shares = (("waits for data", found.data_wait), ("for other ranks", found.communication_wait))
    parts = [f"{name} {share:.0%}" for name, share in shares if share is not None]
    memory = found.memory_allocated or found.memory_resident
    parts += [f"memory {memory / 2**30:.1f} GiB at most"] if memory else []
    parts += [f"slowest rank {found.step_spread:.2f}× the median"] if (found.step_spread or 1.0) > 1.0 else []
    yield Text(f"{stage.name}: {', '.join(parts)}", "dim")


def _curve(stage: StageStatus, width: int) -> Text:
    progress = stage.progress
    if progress is None or (progress.loss is None and not stage.losses):
        return Text(f"{stage.name}: no metrics yet", "dim")
    shown = sparkline(stage.losses, min(SPARK, width // 3))
    parts = [f"{stage.name}: loss"]
    parts += [f"{stage.losses[0].loss:.3f} {shown}"] if shown else []
    parts += [f"{progress.loss:.3f}"] if progress.loss is not None else []
    said = Text(" ".join(parts))
    if progress.tokens_per_second:
        said.append(f"  {progress.tokens_per_second:,.0f} tokens/s", "dim")
    if progress.measured is not None and progress.measured.mfu is not None:
        said.append(f"  MFU {progress.measured.mfu:.0%}", "dim")
    if progress.checkpoint is not None:
        said.append(f"  checkpoint {progress.checkpoint:,}", "dim")
    if progress.activity:
        said.append(f"  {progress.activity}", "dim")
    return said
