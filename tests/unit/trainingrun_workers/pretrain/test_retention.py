import dataclasses

from trainingrun_workers.contract import Answer
from trainingrun_workers.pretrain.retention import Retention

STEPS = tuple(range(0, 1001, 100))
RULE = Retention(keep_last=2, keep_every=None, evaluate_every=None, total_steps=1000, converts=False)


def rule(**fields: int | bool | None) -> Retention:
    return dataclasses.replace(RULE, **fields)  # type: ignore[arg-type]


def test_the_newest_are_kept() -> None:
    assert RULE.removable(STEPS, ()) == STEPS[:-2]


def test_every_step_that_keep_every_divides_is_kept() -> None:
    assert rule(keep_every=400).removable(STEPS, ()) == (100, 200, 300, 500, 600, 700)


def test_what_is_due_for_evaluation_is_kept_until_it_is_converted() -> None:
    due = rule(keep_last=1, evaluate_every=500, converts=True)

    assert due.removable(STEPS, ()) == (100, 200, 300, 400, 600, 700, 800, 900)
    assert due.removable(STEPS, (0, 500)) == STEPS[:-1]


def test_the_final_step_is_due_even_without_evaluation() -> None:
    assert rule(converts=True).due(1000)
    assert not rule(converts=True).due(0)
    assert not RULE.due(1000)


def test_what_the_operator_answers_takes_the_place_of_what_the_attempt_began_with() -> None:
    began = rule(keep_every=400, evaluate_every=500, converts=True)
    now = began.updated(Answer(keep_last=1, keep_every=None, keep=(200, 300)))

    assert now.removable(STEPS, STEPS) == (0, 100, 400, 500, 600, 700, 800, 900)
    assert now.updated(Answer(keep_last=1, keep_every=500)).removable(STEPS, STEPS) == (
        100, 200, 300, 400, 600, 700, 800, 900,
    )  # fmt: skip
    assert 500 not in now.removable(STEPS, ()), "not converted yet"


def test_the_newest_stays_whatever_is_answered() -> None:
    assert RULE.updated(Answer(keep_last=0)).removable(STEPS, ()) == STEPS[:-1]
