"""Differences that mean something: by cases that were worked out by hand and from printed tables."""

import pytest

from trainingrun_workers.report.significance import LEVEL, differences, holm, two_sided


@pytest.mark.parametrize(("z", "p"), [(0.0, 1.0), (1.0, 0.3173), (-1.96, 0.05), (2.5758, 0.01), (3.2905, 0.001)])
def test_two_sided_probabilities_are_those_of_the_normal_distributions_table(z: float, p: float) -> None:
    assert two_sided(z) == pytest.approx(p, abs=5e-5)


def test_holm_multiplies_the_smallest_by_all_and_the_next_by_one_less() -> None:
    # Of 4: 0.005·4 = 0.02, 0.01·3 = 0.03, 0.03·2 = 0.06, and 0.04·1 may not fall below the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_never_passes_one_and_leaves_a_single_value_and_none_alone() -> None:
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02]
    assert holm([]) == []


def test_a_difference_by_hand() -> None:
    # 0.60 ± 0.03 less 0.50 ± 0.04: 0.10 by √(0.0009 + 0.0016) = 0.05 is z = 2, whose two-sided p is 0.0455.
    found = differences({"a": 0.60}, {"a": 0.03}, {"a": 0.50}, {"a": 0.04})["a"]
    assert (found.difference, found.z, found.p) == pytest.approx((0.10, 2.0, 0.0455), abs=1e-4)
    assert found.is_significant


def test_the_same_difference_among_many_tasks_means_nothing() -> None:
    tasks = "abc"
    scores, errors = {"a": 0.60, "b": 0.5, "c": 0.5}, dict.fromkeys(tasks, 0.03)
    found = differences(scores, errors, dict.fromkeys(tasks, 0.50), dict.fromkeys(tasks, 0.04))
    assert found["a"].p < LEVEL < found["a"].corrected == pytest.approx(3 * 0.0455, abs=1e-3)
    assert not any(one.is_significant for one in found.values())


def test_what_has_no_standard_error_or_is_missing_on_a_side_is_not_tested() -> None:
    scores, errors = {"a": 0.6, "b": 0.6, "c": 1.0, "d": 0.6}, {"a": 0.03, "c": 0.0, "d": 0.03}
    reference, reference_errors = {"a": 0.5, "b": 0.5, "c": 1.0}, {"a": 0.04, "b": 0.04, "c": 0.0}
    assert list(differences(scores, errors, reference, reference_errors)) == ["a"]
