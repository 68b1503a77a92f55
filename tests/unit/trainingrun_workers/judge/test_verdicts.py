"""What is read out of a judge's reply, and what it is asked."""

import pytest

from trainingrun_workers.judge.verdicts import RUBRIC, question, verdict


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("[[A]]", "first"),
        ("Both are short, but the second is right.\n[[B]]", "second"),
        ("They say the same.\n\n[[C]]\n", "tie"),
        ("[[tie]]", "tie"),
        ("[[ a ]]", "first"),
        ("At first I thought [[A]], but the numbers are wrong: [[B]]", "second"),
        ("B", "second"),
        (" **A** is better. [[A]]", "first"),
        ("'A'.", "first"),
        ("<think>[[A]]? No.</think>\n[[B]]", "second"),
    ],
)
def test_a_verdict_is_the_last_mark_or_the_only_word(reply: str, expected: str) -> None:
    assert verdict(reply) == expected


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "A is better.",
        "[[D]]",
        "[A]",
        "Answer: B",
        "AB",
        "I will not compare these.",
        "<think>[[A]] may be",
        "[[AB]]",
    ],
)
def test_nonsense_is_no_verdict(reply: str) -> None:
    assert verdict(reply) is None


def test_the_question_shows_the_answers_in_the_order_given_and_braces_as_they_stand() -> None:
    text = question("Write {x}.", None, "one {y}", "two", None)
    assert text.index("[Answer A]\none {y}\n") < text.index("[Answer B]\ntwo\n")
    assert "[Request]\nWrite {x}.\n" in text
    assert RUBRIC in text
    assert "right answer, for comparison" not in text
    turned = question("Write {x}.", None, "two", "one {y}", None)
    assert turned.index("[Answer A]\ntwo\n") < turned.index("[Answer B]\none {y}\n")


def test_a_reference_and_a_rubric_are_shown() -> None:
    text = question("Why?", "Because.", "one", "two", "Which is shorter?")
    assert "[A right answer, for comparison]\nBecause.\n" in text
    assert "Which is shorter?" in text
    assert RUBRIC not in text


@pytest.mark.parametrize("reply", ["[[A]]", "[[B]]", "[[C]]"])
def test_the_question_itself_names_the_marks_that_are_understood(reply: str) -> None:
    assert reply in question("p", None, "a", "b", None)
    assert verdict(reply) is not None
