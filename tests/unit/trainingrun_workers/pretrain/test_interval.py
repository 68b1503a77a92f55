"""How often checkpoints are best written."""

import math

import pytest

from trainingrun_workers.pretrain.interval import best_interval


def lost_share(interval: float, save: float, failures: float) -> float:
    """Daly's exact share of time lost with exponential failures and no restart time: his equation 20."""
    work = failures * (math.exp((interval + save) / failures) - 1.0)
    return 1.0 - interval / work


@pytest.mark.parametrize("save", [0.5, 6.0, 60.0, 600.0])
@pytest.mark.parametrize("failures", [3600.0, 86400.0, 432000.0])
def test_no_other_interval_loses_noticeably_less(save: float, failures: float) -> None:
    best = lost_share(best_interval(save, failures), save, failures)
    others = (best_interval(save, failures) * 1.02**power for power in range(-200, 200))
    assert best <= min(lost_share(one, save, failures) for one in others) * 1.001


def test_it_is_young_s_where_saves_are_short() -> None:
    assert best_interval(60.0, 432000.0) == pytest.approx(math.sqrt(2 * 60 * 432000), rel=0.01)


def test_a_save_longer_than_the_time_between_failures_gives_that_time() -> None:
    assert best_interval(100.0, 40.0) == 40.0


@pytest.mark.parametrize(("save", "failures"), [(0.0, 100.0), (-1.0, 100.0), (1.0, 0.0), (math.nan, 1.0)])
def test_figures_that_are_no_durations_are_refused(save: float, failures: float) -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        best_interval(save, failures)
