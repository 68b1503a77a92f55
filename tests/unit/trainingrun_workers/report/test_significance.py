"""Differences that mean something: by cases that were worked out by hand and from printed tables."""

import pytest

from trainingrun_workers.report.significance import EXACT, LEVEL, Scores, differences, holm, mcnemar, paired, two_sided


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
    found = differences(Scores({"a": 0.60}, {"a": 0.03}), Scores({"a": 0.50}, {"a": 0.04}))["a"]
    assert (found.difference, found.z, found.p) == pytest.approx((0.10, 2.0, 0.0455), abs=1e-4)
    assert found.is_significant and not found.paired


def test_the_same_difference_among_many_tasks_means_nothing() -> None:
    tasks = "abc"
    model = Scores({"a": 0.60, "b": 0.5, "c": 0.5}, dict.fromkeys(tasks, 0.03))
    found = differences(model, Scores(dict.fromkeys(tasks, 0.50), dict.fromkeys(tasks, 0.04)))
    assert found["a"].p < LEVEL < found["a"].corrected == pytest.approx(3 * 0.0455, abs=1e-3)
    assert not any(one.is_significant for one in found.values())


def test_what_has_no_standard_error_or_is_missing_on_a_side_is_not_tested() -> None:
    model = Scores({"a": 0.6, "b": 0.6, "c": 1.0, "d": 0.6}, {"a": 0.03, "c": 0.0, "d": 0.03})
    reference = Scores({"a": 0.5, "b": 0.5, "c": 1.0}, {"a": 0.04, "b": 0.04, "c": 0.0})
    assert list(differences(model, reference)) == ["a"]


@pytest.mark.parametrize(
    ("better", "worse", "p"),
    # Two-sided sums of the binomial distribution: 2·(1/2)⁵, 2·(1 + 6)/2⁶, 2·(1 + 10 + 45)/2¹⁰.
    [(5, 0, 0.0625), (5, 1, 0.21875), (2, 8, 0.109375), (3, 3, 1.0), (0, 0, 1.0)],
)
def test_mcnemars_exact_test_by_hand(better: int, worse: int, p: float) -> None:
    assert mcnemar(better, worse)[1] == pytest.approx(p)


def test_many_discordant_questions_are_tested_by_mcnemars_z() -> None:
    # (700 − 620) / √1320 = 2.2019, whose two-sided p is 0.0277.
    assert 700 + 620 > EXACT
    assert mcnemar(700, 620) == pytest.approx((2.2019, 0.0277), abs=1e-4)


def test_right_and_wrong_answers_are_paired() -> None:
    ours, other = [1, 1, 1, 1, 1, 1, 0, 1], [0, 0, 0, 0, 0, 0, 1, 1]
    assert paired(ours, other) == pytest.approx((5 / 7**0.5, 2 * (1 + 7) / 2**7))
    assert paired(ours, ours) == (0.0, 1.0)


def test_scores_between_are_paired_by_the_standard_error_of_their_differences() -> None:
    # Differences 0.1, 0.3, 0.2, 0.2: mean 0.2, squares 0.02 by 3 by 4, so 0.2 / √(0.02 / 12) = 4.899.
    z, p = paired([0.5, 0.9, 0.4, 0.7], [0.4, 0.6, 0.2, 0.5]) or (0.0, 1.0)
    assert z == pytest.approx(4.899, abs=1e-3)
    assert p == pytest.approx(two_sided(4.899), rel=1e-2)
    assert paired([0.5, 0.7], [0.5, 0.7]) == (0.0, 1.0)
    assert paired([0.5, 0.75], [0.25, 0.5]) is None, "no spread to judge by"


def test_pairs_find_what_two_standard_errors_miss() -> None:
    ours, other = [1] * 60 + [0] * 40, [1] * 50 + [0] * 50
    errors = {"a": 0.049}
    alone = differences(Scores({"a": 0.6}, errors), Scores({"a": 0.5}, errors))["a"]
    pairs = differences(Scores({"a": 0.6}, errors, {"a": ours}), Scores({"a": 0.5}, errors, {"a": other}))["a"]
    assert not alone.is_significant
    assert pairs.is_significant and pairs.paired
    assert pairs.p == pytest.approx(2 / 2**10)


def test_questions_that_only_one_model_has_or_fewer_of_them_pair_nothing() -> None:
    errors = {"a": 0.03}
    for questions in ({}, {"a": [1, 0]}):
        found = differences(Scores({"a": 0.6}, errors, {"a": [1, 1, 0]}), Scores({"a": 0.5}, errors, questions))
        assert not found["a"].paired
