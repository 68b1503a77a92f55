"""What the comparison of both ways to evaluate calls the same, and what it says."""

import math

from bench.costs import Cost
from bench.evaluation import COMMAND, STAGE, Outcome, difference, report


def test_scores_differ_by_the_furthest_of_them() -> None:
    assert difference([{"a": 2.0, "b": 1.0}, {"a": 2.0, "b": 1.0}]) == 0
    assert difference([{"a": 2.0, "b": 1.0}, {"a": 2.5, "b": 1.1}]) == 0.25


def test_a_score_that_one_way_lacks_is_no_small_difference() -> None:
    assert math.isinf(difference([{"a": 1.0}, {}]))


def test_the_report_has_the_medians_their_share_and_whether_scores_are_the_same() -> None:
    found = {
        COMMAND: [Outcome(Cost(80.0, 100.0, 10**9), {"a": 1.0}), Outcome(Cost(100.0, 140.0, 10**9), {"a": 1.0})],
        STAGE: [Outcome(Cost(20.0, 30.0, 10**9), {"a": 1.0}), Outcome(Cost(25.0, 30.0, 10**9), {"a": 1.5})],
    }
    words = report(found, 4)
    assert "| share | 25% | 25% |" in words
    assert "| one lm_eval process a checkpoint | 90.0 (80.0–100.0) | 120.0 (100.0–140.0) | 1000 | 22.5 |" in words
    assert "differs by more than 0.5 of itself (DIFFERENT)" in words
