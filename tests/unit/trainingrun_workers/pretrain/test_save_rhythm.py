from trainingrun_workers.pretrain.interval import best_interval
from trainingrun_workers.pretrain.save_rhythm import SaveRhythm


def test_the_first_save_is_where_it_was_asked_for_and_the_next_by_what_was_measured() -> None:
    rhythm = SaveRhythm(500, 1200, 432_000)

    assert rhythm.next_step == 1700
    assert rhythm.choose(1700, save_seconds=60, step_seconds=10) == 1700 + round(best_interval(60, 432_000) / 10)


def test_a_step_that_takes_longer_than_the_interval_is_saved_each_time() -> None:
    assert SaveRhythm(500, 0, 100).choose(10, save_seconds=0, step_seconds=1000) == 11


def test_a_save_before_any_step_was_timed_changes_nothing() -> None:
    assert SaveRhythm(500, 0, 432_000).choose(0, save_seconds=60, step_seconds=0) == 500
