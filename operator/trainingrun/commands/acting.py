"""What actions on a run have in common: say what it costs, ask, do it, say what came of it."""

from __future__ import annotations

import difflib
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from trainingrun.commands.completing import run_names
from trainingrun.commands.manifest import FAULTY, MISUSED, NO_CLUSTER, NOT_FOUND, OK, CommandError
from trainingrun.commands.options import Output
from trainingrun.commands.printing import at_a_terminal, document

if TYPE_CHECKING:
    from trainingrun.commands.access import Cluster, Object

ANSWER_SECONDS: Final = 30.0  # within which the operator has looked at a run, unless it is away
POLL_SECONDS: Final = 0.3
REFUSED: Final = "Nothing was done"  # how an answer of the operator begins that is none

RunName = Annotated[str, typer.Argument(metavar="RUN", help="The run.", autocompletion=run_names)]


@dataclass(frozen=True)
class Action:
    """Something that is about to be done."""

    run: str
    question: str
    costs: tuple[str, ...]
    do: Callable[[], str]  # which yields what came of it


def carry_out(action: Action, yes: bool, output: Output) -> int:
    """Tell the costs, ask unless `yes`, and do it; CommandError where there is nobody to ask."""
    if output is Output.TEXT:
        tell(action.costs)
    if not yes and not confirmed(action.question, () if output is Output.TEXT else action.costs):
        return OK
    answer = action.do()
    if output is Output.TEXT:
        print(answer)
    else:
        document({"run": action.run, "costs": list(action.costs), "answer": answer}, output)
    return FAULTY if answer.startswith(REFUSED) else OK


def tell(sentences: Iterable[str]) -> None:
    """Print sentences, wrapped."""
    from trainingrun.commands.printing import console

    for one in sentences:
        console().print(one, markup=False)


def confirmed(question: str, first: Iterable[str] = ()) -> bool:
    """Whether whoever sits at the terminal says yes; CommandError where nobody does."""
    if not at_a_terminal():
        raise CommandError("There is no terminal to ask at: add --yes to do it.", MISUSED)
    for one in first:
        print(one, file=sys.stderr)
    if typer.confirm(question, err=True):
        return True
    print("Nothing was done.", file=sys.stderr)
    return False


def stage_of(run: Object, name: str) -> Object:
    """A stage's status; CommandError with the nearest names where the run has none of the name."""
    stages = {one["name"]: one for one in (run.get("status") or {}).get("stages") or ()}
    if name in stages:
        return dict(stages[name])
    near = difflib.get_close_matches(name, stages, 1)
    mend = f"did you mean {near[0]}?" if near else f"it has {', '.join(stages) or 'none yet'}."
    raise CommandError(f"The run {run['metadata']['name']} has no stage {name}: {mend}", NOT_FOUND)


def ask(cluster: Cluster, run: str, what: str) -> str:
    """Ask the operator once for something, and yield its answer; CommandError where none comes."""
    from trainingrun.api import names
    from trainingrun.cluster.kinds import RUN

    asked = f"{what} {time.strftime('%Y-%m-%dT%H:%M:%S')}.{time.time_ns() % 10**9:09d}Z"
    cluster.merge(RUN, run, {"metadata": {"annotations": {names.ANNOTATION_ASKED: asked}}})
    until = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < until:
        status: dict[str, Any] = cluster.run(run).get("status") or {}
        if status.get("asked") == asked:
            return str(status.get("answer"))
        time.sleep(POLL_SECONDS)
    raise CommandError(
        f"The operator has not answered within {ANSWER_SECONDS:.0f} s: see whether it runs, and whether it is of this "
        "command's version. It carries out what was asked once it does.",
        NO_CLUSTER,
    )
