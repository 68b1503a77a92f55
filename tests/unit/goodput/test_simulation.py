"""The simulated month: the real decisions, the interval that is recommended, and figures that add up."""

import dataclasses
import statistics

import pytest

from goodput.parameters import DAY, Parameters
from goodput.simulation import Outcome, Simulation
from goodput.table import months
from trainingrun_workers.pretrain.interval import best_interval

PARAMETERS = Parameters.read()


def short(**changes: object) -> Parameters:
    """The defaults with some changed, and few passes that nothing rings."""
    return dataclasses.replace(PARAMETERS, **{"look_seconds": DAY, **changes})


def played(parameters: Parameters, days: float, save: float, multiple: float = 1.0) -> list[Outcome]:
    return months(parameters, days * DAY, save, best_interval(save, days * DAY) * multiple)


@pytest.mark.parametrize("save", PARAMETERS.save_seconds)
def test_at_one_failure_a_five_days_98_percent_of_the_time_are_useful(save: float) -> None:
    shares = [one.share for one in played(short(months=3), 5, save)]
    assert statistics.mean(shares) >= 0.98, shares


def test_much_shorter_and_much_longer_intervals_than_the_recommended_lose_more() -> None:
    parameters = short(days=10, months=2)
    shares = {
        multiple: statistics.mean(one.share for one in played(parameters, 1, 60.0, multiple))
        for multiple in (0.25, 1.0, 4.0)
    }
    assert max(shares, key=lambda one: shares[one]) == 1.0, shares


def test_the_gpu_hours_of_the_status_say_the_same_as_the_simulation() -> None:
    for one in played(short(days=10, months=2), 1, 60.0):
        assert one.failures > 3
        assert one.counted == pytest.approx(one.share, abs=0.005)


def test_every_failure_is_followed_by_just_one_attempt_of_the_whole_gang() -> None:
    (one,) = played(short(days=10, months=1), 1, 6.0)
    assert one.attempts == one.failures + 1


def test_all_time_is_told_and_a_seed_gives_the_same_month_again() -> None:
    (once,), (again,) = (played(short(days=5, months=1), 1, 60.0) for _ in range(2))
    assert once == again
    assert 0.0 < once.waiting < 0.02 * once.total


@pytest.mark.parametrize(("kind", "least"), [("killed", 10 + 50 + 60), ("nodeLost", 46 + 120 + 50), ("hang", 600)])
def test_each_kind_of_failure_costs_what_its_noticing_and_restarting_take(kind: str, least: float) -> None:
    parameters = short(days=10, failures={kind: 1.0})
    one = Simulation(parameters, DAY, 6.0, best_interval(6.0, DAY), seed=3).play()
    first_start = parameters.pods_running_seconds + parameters.first_step_seconds
    assert one.failures > 3
    assert least * 0.9 < (one.waiting - first_start) / one.failures < least + 130
