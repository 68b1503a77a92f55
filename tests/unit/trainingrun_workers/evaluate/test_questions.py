"""Scores of single questions: what of lm-eval's samples is kept, and what is believed when it is read."""

import json
from pathlib import Path
from typing import Any

import pytest

from trainingrun_workers.evaluate.questions import by_question, read_questions, write_questions
from trainingrun_workers.evaluate.results import TaskResult


def sample(number: int, value: Any, which: str = "none", metric: str = "acc") -> dict[str, Any]:
    return {"doc_id": number, "filter": which, "metrics": [metric], metric: value}


def test_questions_are_in_the_datas_order() -> None:
    assert by_question([[sample(2, 1.0), sample(0, True), sample(1, 0)]], "acc", 2 / 3) == (1, 0, 1)


def test_a_groups_tasks_follow_each_other() -> None:
    parts = [[sample(1, 0), sample(0, 1)], [sample(0, 0.25)]]
    assert by_question(parts, "acc", 1.25 / 3) == (1, 0, 0.25)


def test_of_two_filters_the_metrics_own_is_taken() -> None:
    asked = [sample(0, 0, "strict"), sample(0, 1, "flexible"), sample(1, 1, "strict"), sample(1, 1, "flexible")]
    assert by_question([asked], "acc,strict", 0.5) == (0, 1)


@pytest.mark.parametrize(
    ("samples", "score"),
    [
        ([sample(0, 1), sample(1, 0)], 0.9),  # an F1, or a group that weighs its tasks
        ([sample(0, (1.5, 3)), sample(1, (2.5, 4))], 0.5),  # what a corpus' figure is made of
        ([sample(0, float("nan")), sample(1, 1)], 0.5),
        ([sample(0, "yes")], 1.0),
        ([sample(0, 1, metric="other")], 1.0),
        ([], 0.0),
    ],
)
def test_where_a_tasks_score_is_not_the_mean_of_its_questions_none_are_kept(samples: Any, score: float) -> None:
    assert by_question([samples], "acc", score) == ()


def a_result(questions: tuple[float, ...], score: float) -> TaskResult:
    return TaskResult("quiz", {"acc": score}, "acc", {"acc": True}, 1, 0, len(questions), questions=questions)


def test_what_is_written_is_read_with_its_document(tmp_path: Path) -> None:
    write_questions(tmp_path / "own.json", "k", [a_result((1, 0, 0.5), 0.5), a_result((), 0.1)])
    document = {"key": "k", "tasks": {"quiz": {"acc": 0.5}}}
    assert read_questions(tmp_path / "own.json", document) == {"quiz/acc": [1, 0, 0.5]}
    assert not list(tmp_path.glob("*.json")), "what reads all documents of the folder would take it for one"


def test_questions_of_another_evaluation_or_of_another_score_are_left_out(tmp_path: Path) -> None:
    write_questions(tmp_path / "own.json", "k", [a_result((1, 0), 0.5)])
    assert read_questions(tmp_path / "own.json", {"key": "l", "tasks": {"quiz": {"acc": 0.5}}}) == {}
    assert read_questions(tmp_path / "own.json", {"key": "k", "tasks": {"quiz": {"acc": 0.6}}}) == {}
    assert read_questions(tmp_path / "own.json", {"key": "k", "tasks": {}}) == {}


@pytest.mark.parametrize("text", [None, "{", "[]", json.dumps({"key": "k"}), json.dumps({"key": "k", "scores": 3})])
def test_a_document_without_questions_or_with_torn_ones_has_none(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "questions").mkdir()
        (tmp_path / "questions/own.json").write_text(text)
    assert read_questions(tmp_path / "own.json", {"key": "k", "tasks": {"quiz": {"acc": 0.5}}}) == {}
