"""The Portuguese leaderboard's rows: which are shown, what is asked, how an answer to one is scored."""

from typing import Any

import pytest

from trainingrun_workers.errors import BadData
from trainingrun_workers.evaluate.tasks import leaderboard

QUESTION = {
    "id": "2022_1", "question": "Quanto é 1 + 1?", "answerKey": "B",
    "choices": {"label": ["A", "B"], "text": ["um", "dois"]},
}  # fmt: skip


class Rows(list[dict[str, Any]]):
    """What the functions use of a split of a data set."""

    def __getitem__(self, column: Any) -> Any:
        return [row[column] for row in iter(self)]

    def select(self, places: list[int]) -> "Rows":
        rows = list(iter(self))
        return Rows(rows[place] for place in places)


def test_an_exams_examples_come_in_the_leaderboards_order_and_are_not_asked() -> None:
    rows = Rows({"id": name, "answerKey": "A"} for name in ("2022_88", "2009_1", "2022_21", "2022_143"))
    assert leaderboard.enem_examples(rows)["id"] == ["2022_21", "2022_88", "2022_143"]
    assert leaderboard.enem_questions(rows)["id"] == ["2009_1"]


def test_a_question_without_an_answer_is_not_asked() -> None:
    rows = Rows([{"id": "2010-02_1", "answerKey": None}, {"id": "2010-02_2", "answerKey": "C"}])
    assert leaderboard.oab_questions(rows)["id"] == ["2010-02_2"]


def test_a_missing_example_is_named() -> None:
    with pytest.raises(BadData, match="row with id '2022_21'"):
        leaderboard.enem_examples(Rows([{"id": "2009_1", "answerKey": "A"}]))
    with pytest.raises(BadData, match="has 7 rows, but the leaderboard shows row 2918"):
        leaderboard.faquad_examples(Rows([{}] * 7))


def test_a_question_is_asked_as_the_leaderboard_asks_it() -> None:
    assert leaderboard.exam_question(QUESTION) == (
        "Pergunta:\nQuanto é 1 + 1?\nAlternativas:\nA. um\nB. dois\nResposta correta:"
    )
    assert leaderboard.bar_exam_question(QUESTION) == (
        "Questão:\nQuanto é 1 + 1?\nAlternativas:\nA) um\nB) dois\nResposta correta:"
    )


def test_an_answer_to_a_question_is_right_or_wrong() -> None:
    assert leaderboard.exam_score(QUESTION, [" B."]) == {"acc": True}
    assert leaderboard.bar_exam_score(QUESTION, ["A) um"]) == {"acc": False}


def test_labels_and_numbers_become_portuguese() -> None:
    assert [leaderboard.entailment({"entailment_judgment": one}) for one in (0, 1)] == ["Não", "Sim"]
    assert [leaderboard.yes_no({"label": one}) for one in (0, 1, "0", "1")] == ["Não", "Sim", "Não", "Sim"]
    assert [leaderboard.feeling({"label": one}) for one in ("Positive", "Negative", "Neutral")] == [
        "Positivo", "Negativo", "Neutro",
    ]  # fmt: skip
    assert leaderboard.similarity({"relatedness_score": 4.25}) == "4,2"


def test_an_answers_label_or_number_is_set_against_the_right_one() -> None:
    assert leaderboard.yes_no_score({"label": 1}, ["não"]) == {"f1_macro": ("Sim", "Não"), "acc": False}
    assert leaderboard.feeling_score({"label": "Neutral"}, ["neutro"]) == {
        "f1_macro": ("Neutro", "Neutro"), "acc": True,
    }  # fmt: skip
    assert leaderboard.entailment_score({"entailment_judgment": 0}, ["?"])["f1_macro"] == ("Não", "[invalid]")
    assert leaderboard.similarity_score({"relatedness_score": 3.0}, ["4,5"]) == {"pearson": (3.0, 4.5), "mse": 2.25}
