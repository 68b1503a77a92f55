"""Small pictures of characters."""

from hypothesis import given
from hypothesis import strategies as st

from trainingrun.api.status import LossPoint
from trainingrun.commands.view.words import BARS, lasted, seconds_since, sparkline


def points(*losses: float, every: int = 10) -> list[LossPoint]:
    return [LossPoint(step=every * (place + 1), loss=loss) for place, loss in enumerate(losses)]


def test_a_curve_goes_from_its_highest_to_its_lowest() -> None:
    assert sparkline(points(8, 7, 6, 5, 4, 3, 2, 1), 8) == "█▇▆▅▄▃▂▁"


def test_a_curve_is_as_wide_as_it_may_be_over_steps_and_not_over_points() -> None:
    uneven = [LossPoint(step=1, loss=3.0), LossPoint(step=2, loss=2.0), LossPoint(step=101, loss=1.0)]
    assert sparkline(uneven, 11)[1:] == sparkline(uneven, 11)[1:].translate({ord("█"): "?"})
    assert len(sparkline(uneven, 11)) == 11


def test_of_less_than_two_points_there_is_no_curve_and_of_a_flat_one_a_flat_one() -> None:
    assert sparkline([], 20) == sparkline(points(3.0), 20) == sparkline(points(3.0, 2.0), 1) == ""
    assert sparkline(points(3.0, 3.0), 4) == BARS[0] * 4


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40), st.integers(2, 80))
def test_any_curve_can_be_drawn(losses: list[float], width: int) -> None:
    drawn = sparkline(points(*losses), width)
    assert len(drawn) == width
    assert set(drawn) <= set(BARS)


def test_times_that_are_none_are_told_as_none() -> None:
    assert seconds_since(None, 0.0) is None
    assert seconds_since("yesterday", 0.0) is None
    assert lasted(None) == "–"
    assert (lasted(59), lasted(0)) == ("59s", "0s")
