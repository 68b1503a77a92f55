from trainingrun.controller.health import Check, Health, Pulse


def test_a_check_fails_above_its_limit_and_says_why() -> None:
    value = 5.0
    health = Health((Check(lambda: value, 10.0, "It took {value:.0f} s of {limit:.0f}."),))
    assert health.failures() == []
    value = 11.0
    assert health.failures() == ["It took 11 s of 10."]


def test_a_late_loop_is_remembered_for_a_while() -> None:
    now = 0.0
    pulse = Pulse(lambda: now)
    pulse._lags.append((now, 6.0))
    assert pulse.lag() == 6.0
    now = 31.0
    assert pulse.lag() == 0.0


def test_the_age_of_the_periodic_pass_grows_until_the_next() -> None:
    now = 0.0
    pulse = Pulse(lambda: now)
    now = 90.0
    assert pulse.since_period() == 90.0
    pulse.period_started()
    assert pulse.since_period() == 0.0
