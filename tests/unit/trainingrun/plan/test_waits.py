from trainingrun.plan.waits import left


def test_a_wait_is_over_when_its_time_has_passed() -> None:
    assert left(1000.0, 15.0, 1000.0) == 15.0
    assert left(1000.0, 15.0, 1010.0) == 5.0
    assert left(1000.0, 15.0, 1015.0) == 0.0


def test_a_clock_that_is_a_little_fast_is_waited_for() -> None:
    assert left(1003.0, 15.0, 1000.0) == 18.0


def test_a_clock_that_is_far_ahead_is_not() -> None:
    assert left(1600.0, 15.0, 1000.0) == 0.0
