"""The scores over all questions, against cases worked out by hand."""

import math

import pytest

from trainingrun_workers.evaluate.tasks.scores import f1_macro, pearson, share


def test_f1_is_the_mean_of_each_labels() -> None:
    # Sim: 2 right of 3 given and 2 there, F1 4/5; Não: 1 right of 1 given and 2 there, F1 2/3.
    items = [("Sim", "Sim"), ("Sim", "Sim"), ("Não", "Sim"), ("Não", "Não")]
    assert f1_macro(items) == pytest.approx((4 / 5 + 2 / 3) / 2)


def test_an_answer_that_is_no_label_counts_as_a_label_of_its_own_with_nothing_right() -> None:
    # Sim 1, Não 2/3 (1 of 1 given, 1 of 2 there), [invalid] 0
    items = [("Sim", "Sim"), ("Não", "Não"), ("Não", "[invalid]")]
    assert f1_macro(items) == pytest.approx((1 + 2 / 3 + 0) / 3)


def test_f1_of_one_answer_for_all_is_that_of_the_leaderboards_baseline() -> None:
    # A model that says Sim to a balanced set: 2/3 and 0, the 0.3333 of the report's table.
    assert f1_macro([("Sim", "Sim"), ("Não", "Sim")]) == pytest.approx(1 / 3)


def test_pearsons_correlation() -> None:
    # Deviations −1, 0, 1 and −1, 1, 0: together 1, apart √(2 · 2).
    assert pearson([(1.0, 2.0), (2.0, 4.0), (3.0, 3.0)]) == pytest.approx(1 / 2)
    assert pearson([(1.0, 5.0), (3.0, 3.0), (5.0, 1.0)]) == pytest.approx(-1)


def test_there_is_no_correlation_with_what_is_always_the_same() -> None:
    assert pearson([(1.0, 5.0), (3.0, 5.0)]) == 0
    assert not math.isnan(pearson([(2.0, 1.0), (2.0, 5.0)]))


def test_the_share_is_of_instructions_not_of_prompts() -> None:
    assert share([[True], [False, False, True]]) == pytest.approx(2 / 4)
