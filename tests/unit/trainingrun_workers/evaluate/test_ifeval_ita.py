"""What ifeval-ita checks by itself; the other demands are lm-eval's to check, which the engine tests run."""

from typing import Any

import pytest

from trainingrun_workers.evaluate.tasks.ifeval_ita import follows, score, sentences

SENTENCES = "length_constraints:number_sentences"
CAPITALS = "change_case:capital_word_frequency"
DEMANDS = [
    (SENTENCES, {"num_sentences": 2, "relation": "at least"}, "Uno. Due!", True),
    (SENTENCES, {"num_sentences": 2, "relation": "less than"}, "Uno. Due!", False),
    (
        "change_case:capital_word_frequency",
        {"capital_frequency": 2, "capital_relation": "at least"},
        "È UNA CASA",
        True,
    ),
    (CAPITALS, {"capital_frequency": 2, "capital_relation": "less than"}, "È casa", True),
    ("change_case:english_capital", {}, "PERCHÉ NO?", True),
    ("change_case:english_capital", {}, "Perché no?", False),
    ("change_case:english_lowercase", {}, "perché no?", True),
    ("detectable_format:constrained_response", {}, "La mia risposta è forse.", True),
    ("detectable_format:constrained_response", {}, "Forse.", False),
    (SENTENCES, {"num_sentences": 2, "relation": "circa"}, "Uno.", False),
    (SENTENCES, {}, "Uno.", False),
]


@pytest.mark.parametrize(("name", "arguments", "answer", "met"), DEMANDS)
def test_a_demand_is_met_or_not(name: str, arguments: dict[str, Any], answer: str, met: bool) -> None:
    assert follows(name, arguments, "", answer) == met


def test_sentences_are_counted_without_what_only_separates_them() -> None:
    assert sentences("Ciao! Come stai? Bene… grazie.") == 4
    assert sentences("Disse: «Vado.» Poi andò") == 2
    assert sentences("Costa 3.50 euro") == 1
    assert sentences("...") == 0


def row(**arguments: Any) -> dict[str, Any]:
    names = ["change_case:english_lowercase", "length_constraints:number_sentences"]
    return {
        "prompt": "Scrivi.", "instruction_id_list": names,
        "kwargs": [None, {"num_sentences": 2, "relation": "less than", **arguments}],
    }  # fmt: skip


def test_a_prompt_is_followed_where_all_of_its_demands_are() -> None:
    result = score(row(), ["una sola frase."])
    assert result["inst_level_strict_acc"] == [True, True]
    assert result["prompt_level_strict_acc"] is True


def test_a_first_line_too_many_is_forgiven_where_scoring_is_loose() -> None:
    result = score(row(), ["Certo!\nuna sola frase."])
    assert result["inst_level_strict_acc"] == [False, False]
    assert result["inst_level_loose_acc"] == [True, True]
    assert result["prompt_level_loose_acc"] is True


def test_an_empty_answer_follows_nothing() -> None:
    assert score(row(), [" "])["inst_level_loose_acc"] == [False, False]
