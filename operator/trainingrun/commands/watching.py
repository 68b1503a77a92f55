"""A run that is kept up to date in the terminal, also over a lost connection."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live

from trainingrun.cluster.kinds import RUN
from trainingrun.commands.printing import console
from trainingrun.commands.refusals import AbsentError, UnreachableError
from trainingrun.commands.view.run import ENDED, RunView, line

if TYPE_CHECKING:
    from trainingrun.commands.access import Cluster

AGAIN_SECONDS: Final = 2.0  # until a lost connection is tried again
A_SECOND: Final = 2  # pictures; times go on between changes

Raw = dict[str, Any]


class Picture:
    """The newest state of a run, drawn anew with each of rich's pictures."""

    def __init__(self, run: Raw, everything: bool) -> None:
        """Start with a run as it was read."""
        self.run, self.everything, self.remark = run, everything, ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Rich's own protocol."""
        yield RunView(self.run, time.time(), self.everything, self.remark)


def watch_run(cluster: Cluster, run: Raw, everything: bool) -> Raw:
    """Show a run until it has ended or is gone, and yield its last state."""
    shown, picture = console(), Picture(run, everything)
    states = changes(cluster, picture)
    if not shown.is_terminal:
        for one in states:
            print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {picture.remark or line(one, time.time())}", flush=True)
        return picture.run
    with Live(picture, console=shown, refresh_per_second=A_SECOND, vertical_overflow="crop"):
        for _ in states:
            pass
    return picture.run


def changes(cluster: Cluster, picture: Picture) -> Iterator[Raw]:
    """Each new state of the picture's run, which is put into it; a lost connection is told in it, and tried again."""
    yield picture.run
    while not _has_ended(picture.run):
        try:
            yield from _seen(cluster, picture)
        except UnreachableError as error:
            first, picture.remark = not picture.remark, f"{error} Trying again."
            if first:
                yield picture.run
            time.sleep(AGAIN_SECONDS)


def _seen(cluster: Cluster, picture: Picture) -> Iterator[Raw]:
    """What one watch shows that is new; AbsentError where the run is gone, also while nobody watched."""
    name = picture.run["metadata"]["name"]
    for kind, found in cluster.watch(RUN, name):
        if kind == "DELETED":
            raise AbsentError(f"The run {name} was deleted.")
        new = picture.remark or found["metadata"]["resourceVersion"] != picture.run["metadata"]["resourceVersion"]
        picture.run, picture.remark = found, ""
        if new:
            yield found
        if _has_ended(found):
            return
    cluster.run(name)


def _has_ended(run: Raw) -> bool:
    return (run.get("status") or {}).get("phase") in ENDED
