"""Producing a fault and following what comes of it, until the gang trains again."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from chaos.faults import STRIKES, Blow, Fault
from chaos.records import ENDED, FREE, LOST, RUNNING, STEPPING, Figures, Record, given
from chaos.watch import End, Pod
from chaos.world import EVERY, PATIENCE, Training, World
from e2e.installation import CommandError, say

MARGIN: Final = 3 * EVERY  # steps that may be done until a fault has struck, at most
STEPS_A_FAULT: Final = EVERY + EVERY // 2  # that it takes about, those that are lost and done again not counted
LONGEST_RUN: Final = 40 * EVERY


def produce(world: World, faults: list[Fault]) -> Iterator[Record]:
    """Produce these faults one after the other, in runs of some thousand steps; a record counts once its run is whole.

    A run that does not recover gives way to a new one.
    """
    left = list(faults)
    while left:
        steps = min(STEPS_A_FAULT * len(left) + MARGIN, LONGEST_RUN)
        with world.training("gang", steps) as run:
            yield from _in_one_run(run.apply(), left)


def _in_one_run(run: Training, left: list[Fault]) -> list[Record]:
    done: list[Record] = []
    while left and done_steps(run) < run.steps - MARGIN:
        fault = left.pop(0)
        done += told(fault.name, partial(one_recovery, run, fault))
        if not done[-1].recovered:
            return done
    (end,) = told("the run's end", partial(_end_of, run))
    return [one if end.recovered else given(one, False) for one in done]


def _end_of(run: Training) -> Record:
    return given(Record("the run's end", True), run.ends_whole(PATIENCE + 0.3 * run.steps))


def done_steps(run: Training) -> int:
    """How far a run's newest gang is."""
    last = run.log(run.gang()[0].attempt).last
    return last.number if last else 0


def told(fault: str, measure: Callable[[], Record | list[Record]]) -> list[Record]:
    """What was measured, said aloud; where it came to nothing, a record that says so."""
    try:
        measured = measure()
    except (AssertionError, CommandError) as error:
        measured = Record(fault, False, note=str(error))
    records = measured if isinstance(measured, list) else [measured]
    for one in records:
        figures = "  ".join(f"{name} {value:.1f}" for name, value in one.figures.items())
        say(f"{one.fault:<24} {'' if one.recovered else 'NOT RECOVERED '}{figures}  {one.note}")
    return records


def one_recovery(run: Training, fault: Fault) -> Record:
    """Let a gang train for a while, strike one of its pods, and measure until the next gang trains."""
    begun = run.first_step(run.gang()).number
    # A checkpoint of its own first: five failures without progress are a crash loop, and rightly so.
    gang = run.trains(begun + EVERY + run.world.random.randrange(EVERY // 2))
    blow = Blow(run.world, run, gang, run.world.random.choice(gang))
    at = time.time()
    STRIKES[fault](blow)
    return follow(run, gang, at, fault)


def follow(run: Training, gang: list[Pod], at: float, fault: Fault) -> Record:
    """Measure from `at` on what becomes of a gang that was struck."""
    watch, number = run.world.watch, gang[0].attempt
    ends = watch.run(run.name).ends
    question = f"attempt {number} of {run.name} is over and its pods are gone"
    watch.wait(question, lambda: ("pretrain", number) in ends and all(pod.free_at for pod in gang), PATIENCE)
    end, last = ends["pretrain", number], run.log(number).last
    assert end.cause != "Completed", f"{run.name} was done before the fault had struck."
    following = run.gang(number, PATIENCE)
    figures = {
        ENDED: max(end.at - at, 0.0),  # before the cluster notices that a node is lost, its peers may have
        FREE: max(pod.free_at or 0.0 for pod in gang) - at,
        RUNNING: max(pod.running_at or 0.0 for pod in following) - at,
    }
    note, first = "", run.log(following[0].attempt)
    while not first.reaches(1, PATIENCE):  # that gang has died as well
        following = run.gang(following[0].attempt, PATIENCE)
        first, note = run.log(following[0].attempt), f"It took until attempt {following[0].attempt - number} after it."
    if first.first is not None:
        figures[STEPPING] = first.first.at - at
        figures[LOST] = max((last.number if last else 0) - first.first.number + 1, 0)
    return _judged(fault, figures, end, note)


def _judged(fault: Fault, figures: Figures, end: End, note: str) -> Record:
    if end.cause not in fault.causes:
        note = f"The attempt ended as {end.cause}: {end.message}"
    elif fault.saves and figures[LOST]:
        note = f"{figures[LOST]:.0f} steps were lost: {end.message}"
    else:
        return Record(fault.name, True, figures, note)
    return Record(fault.name, False, figures, note)
