"""What the benchmark of saves makes of a run's log and curve."""

import pytest

from bench.saving import EVERY, STEPS, _outcome


def test_steps_count_as_slowed_only_where_they_lie_wholly_in_a_write() -> None:
    seconds = [1.0] * STEPS
    seconds[EVERY] = 9.0  # has the stall in it
    seconds[EVERY + 1] = seconds[EVERY + 2] = 3.0
    seconds[EVERY + 3] = 2.0  # the write ends in it
    times = [sum(seconds[:step]) for step in range(1, STEPS + 1)]
    found = _outcome({EVERY: (16.0, 0.5), 2 * EVERY: (0.5, 0.4)}, times, 7)
    assert (found.stalls, found.writes, found.size) == ((0.5, 0.4), (16.0, 0.5), 7)
    assert (found.step, found.slowed) == (pytest.approx(1.0), pytest.approx(3.0))
