"""Verdicts summed up, against cases counted by hand."""

import pytest

from trainingrun_workers.judge import report
from trainingrun_workers.judge.tally import Comparison, pair_figures, position_figures, summary, wilson

PAIR = ("base", "chat")


def compared(*verdicts: str | None, language: str | None = None) -> Comparison:
    return Comparison(PAIR, verdicts, language)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("verdicts", "outcome"),
    [
        (("first", "second"), "one"),  # base shown first and chosen; shown second and chosen
        (("second", "first"), "other"),
        (("tie", "tie"), "tie"),
        ((), "tie"),
        (("first", "first"), "disagreement"),
        (("second", "second"), "disagreement"),
        (("first", "tie"), "disagreement"),
        (("tie", "first"), "disagreement"),
        ((None, "first"), "unparsable"),
        (("first", None), "unparsable"),
    ],
)
def test_a_prompt_is_won_only_where_both_orders_say_so(verdicts: tuple[str | None, ...], outcome: str) -> None:
    assert compared(*verdicts).outcome == outcome


CASES = [
    compared("first", "second", language="it"),  # base
    compared("first", "second", language="it"),  # base
    compared("second", "first", language="en"),  # chat
    compared("second", "first", language="it"),  # chat
    compared("second", "first", language="en"),  # chat
    compared("tie", "tie"),
    compared(),
    compared("first", "first", language="en"),
    compared("first", "tie"),
    compared(None, "second"),
]


def test_the_figures_of_a_pair() -> None:
    figures = pair_figures(CASES)
    assert figures == {
        "models": ["base", "chat"], "prompts": 10, "wins": {"base": 2, "chat": 3}, "ties": 2, "identical": 1,
        "disagreements": 2, "unparsable": 1,
        "winRate": {"share": 0.4, "interval": figures["winRate"]["interval"]},
    }  # fmt: skip


def test_how_often_each_place_was_chosen() -> None:
    figures = position_figures(CASES)
    # First: 5 of agreeing pairs, 2 of ("first", "first"), 1 of ("first", "tie"). Second: 5, and 1 beside nonsense.
    assert (figures["first"], figures["second"], figures["ties"]) == (8, 6, 3)
    assert (figures["alwaysFirst"], figures["alwaysSecond"]) == (1, 0)
    assert figures["firstRate"]["share"] == round(8 / 14, 4)


@pytest.mark.parametrize(
    ("successes", "of", "low", "high"),
    # Wilson's interval in closed form, by hand: at 0 of n it is [0, z²/(n+z²)]; at half it is 1/2 ∓ z/(2·√(n+z²)).
    [(0, 10, 0.0, 3.8415 / 13.8415), (10, 10, 10 / 13.8415, 1.0), (5, 10, 0.5 - 0.26341, 0.5 + 0.26341)],
)
def test_wilsons_interval(successes: int, of: int, low: float, high: float) -> None:
    found = wilson(successes, of)
    assert found is not None
    assert found == pytest.approx((low, high), abs=1e-4)


def test_of_nothing_there_is_no_interval() -> None:
    assert wilson(0, 0) is None
    figures = pair_figures([compared("tie", "tie")])
    assert figures["winRate"] == {"share": None, "interval": None}
    assert position_figures([compared("tie", "tie")])["firstRate"] == {"share": None, "interval": None}


def test_languages_have_figures_of_their_own() -> None:
    found = summary(CASES)["languages"]
    assert list(found) == ["en", "it"]
    assert found["it"][0]["wins"] == {"base": 2, "chat": 1}
    assert (found["en"][0]["wins"], found["en"][0]["disagreements"]) == ({"base": 0, "chat": 2}, 1)


def page(cases: list[Comparison]) -> str:
    document = {"judge": {"answeredAs": ["large-1"]}, "prompts": len(cases), **summary(cases)}
    verdict = {"first": "base", "chosen": "base"}
    disagreed = {"outcome": "disagreement", "prompt": "Who\n`wrote` it?", "verdicts": [verdict, verdict]}
    return report.page(document, [disagreed])


def test_the_page_shows_every_figure_and_the_disagreements() -> None:
    text = page(CASES)
    assert "| base : chat | 10 | 2 | 3 | 2 | 2 | 1 | 0.40 [0.12, 0.77] |" in text
    assert "## Prompts in it" in text
    assert "judge: large-1" in text
    assert "Of 14 verdicts that chose an answer, 8 chose the one shown first" in text
    assert "which a judge without favour would do as well" in text
    assert "- `Who 'wrote' it?`: base with base shown first and base with base shown first" in text


def test_the_page_says_that_a_place_is_favoured() -> None:
    assert "which shows a favour for a place" in page([compared("first", "first")] * 10)


def test_the_page_of_ties_alone_has_no_shares() -> None:
    text = page([compared("tie", "tie")])
    assert "| base : chat | 1 | 0 | 0 | 1 | 0 | 0 | – |" in text
    assert "No verdict chose an answer" in text
