"""The comparison: what is tested, what compares over tokenizers, and what is said of models that lack a score."""

import math

import pytest

from trainingrun_workers.report.comparison import by_text, comparison
from trainingrun_workers.report.tables import html_table, markdown, notes
from unit.trainingrun_workers.report.documents import a_candidate

OURS = {"quiz_it/acc": (0.50, 0.02), "quiz_en/acc": (0.50, 0.02), "held_out_it/bits_per_byte": (1.5, None)}
BETTER = {"quiz_it/acc": (0.62, 0.02), "quiz_en/acc": (0.49, 0.02), "held_out_it/bits_per_byte": (1.2, None)}
WORSE = {"quiz_it/acc": (0.40, 0.02), "quiz_en/acc": (0.50, 0.02), "held_out_it/bits_per_byte": (1.9, None)}


def test_the_table_marks_what_is_beyond_chance_and_the_best_in_bold() -> None:
    content = comparison("ours", [a_candidate("ours", OURS), a_candidate("a", BETTER), a_candidate("b", WORSE)])
    lines = markdown(content).splitlines()
    assert lines[:6] == [
        "# ours compared",
        "",
        "| model | quiz_it acc ↑ | quiz_en acc ↑ | held_out_it bits_per_byte ↓ |",
        "| --- | ---: | ---: | ---: |",
        "| ours | 0.5000 ± 0.0200 | **0.5000** ± 0.0200 | 1.5000 |",
        "| a | **0.6200** ± 0.0200 ▲ | 0.4900 ± 0.0200 | **1.2000** |",
    ]
    assert lines[6] == "| b | 0.4000 ± 0.0200 ▼ | **0.5000** ± 0.0200 | 1.9000 |"
    assert "Not tested, since the harness gives no standard error: held_out_it bits_per_byte ↓." in lines
    assert "okenizer" not in "".join(lines)


def test_what_is_paired_by_question_is_told_and_what_is_not_as_well() -> None:
    quiz = {"quiz_it/acc": (0.5, 0.05), "quiz_en/acc": (0.5, 0.05)}
    better = {"quiz_it/acc": (0.6, 0.05), "quiz_en/acc": (0.6, 0.05)}
    ours = a_candidate("ours", quiz, questions={"quiz_it/acc": [1] * 50 + [0] * 50})
    other = a_candidate("a", better, questions={"quiz_it/acc": [1] * 60 + [0] * 40})
    content = comparison("ours", [ours, other])
    found = content["models"][1]["differences"]
    assert (found["quiz_it/acc"]["verdict"], found["quiz_it/acc"]["paired"]) == ("better", True)
    assert (found["quiz_en/acc"]["verdict"], found["quiz_en/acc"]["paired"]) == (None, False)
    assert "| a | **0.6000** ± 0.0500 ▲ | **0.6000** ± 0.0500 |" in markdown(content)
    assert any(one.startswith("Not paired for want of the questions' scores: quiz_en acc ↑.") for one in notes(content))
    alone = comparison("ours", [ours])
    assert not any("Not paired" in one for one in notes(alone))


def test_less_of_what_should_be_low_is_better() -> None:
    task = "text_it/word_perplexity"
    content = comparison("ours", [a_candidate("ours", {task: (30.0, 0.5)}), a_candidate("a", {task: (25.0, 0.5)})])
    assert content["models"][1]["differences"][task]["verdict"] == "better"


@pytest.mark.parametrize(
    ("metric", "is_by_text"),
    [("acc", True), ("exact_match,strict", True), ("bits_per_byte", True), ("word_perplexity", True),
     ("perplexity", False), ("token_perplexity,none", False)],
)  # fmt: skip
def test_perplexities_by_tokens_are_not_compared_over_tokenizers(metric: str, is_by_text: bool) -> None:
    assert by_text(metric) is is_by_text


def test_another_tokenizer_is_said_and_what_counts_tokens_is_neither_tested_nor_best() -> None:
    scores = {"quiz_it/acc": (0.5, 0.02), "lambada_it/perplexity": (30.0, 0.1)}
    other = {"quiz_it/acc": (0.7, 0.02), "lambada_it/perplexity": (10.0, 0.1)}
    content = comparison("ours", [a_candidate("ours", scores), a_candidate("a", other, vocabulary="w")])
    assert list(content["models"][1]["differences"]) == ["quiz_it/acc"]
    text = markdown(content)
    assert "| a | **0.7000** ± 0.0200 ▲ | 10.0000 ± 0.1000 |" in text
    assert "Other tokenizer than ours: a. Accuracies compare all the same" in text
    assert "Counted by tokens, and so neither tested nor in bold: lambada_it perplexity ↓." in text
    alike = comparison("ours", [a_candidate("ours", scores), a_candidate("a", other)])
    assert "lambada_it/perplexity" in alike["models"][1]["differences"]


def test_a_model_without_a_score_has_an_empty_cell_and_a_sentence() -> None:
    sentence = "models/a has no score of quiz_it: 3 of its texts are too long."
    lacking = a_candidate("a", {"quiz_en/acc": (0.6, 0.02)}, problems=[sentence])
    content = comparison("ours", [a_candidate("ours", OURS), lacking])
    assert "| a |  | **0.6000** ± 0.0200 ▲ |  |" in markdown(content)
    assert sentence in notes(content)


def test_scores_of_other_questions_stand_there_untested() -> None:
    content = comparison("ours", [a_candidate("ours", OURS), a_candidate("a", BETTER, key="another")])
    assert content["models"][1]["differences"] == {}
    assert any(one.startswith("a was not asked just what ours was asked") for one in notes(content))


def test_a_languages_mean_takes_its_tasks_of_one_metric_and_their_errors() -> None:
    scores = {"quiz_it/acc": (0.4, 0.03), "arc_it/acc": (0.6, 0.04), "quiz_en/acc": (0.5, 0.02), "code/acc": (0.1, 0.1)}
    content = comparison("ours", [a_candidate("ours", scores)])
    languages = content["models"][0]["languages"]
    assert languages["it/acc"] == {"score": 0.5, "stderr": pytest.approx(math.hypot(0.03, 0.04) / 2), "tasks": 2}
    assert set(languages) == {"it/acc", "en/acc"}


def test_a_language_is_left_out_for_a_model_that_lacks_one_of_its_tasks() -> None:
    scores = {"quiz_it/acc": (0.4, 0.03), "arc_it/acc": (0.6, 0.04)}
    content = comparison("ours", [a_candidate("ours", scores), a_candidate("a", {"arc_it/acc": (0.9, 0.01)})])
    assert content["models"][1]["languages"] == {}


def test_the_page_has_the_same_cells_and_escapes_names() -> None:
    content = comparison("ours", [a_candidate("ours", OURS), a_candidate("<a>", BETTER)])
    text = html_table(content)
    assert "<tr><th>&lt;a&gt;</th><td><b>0.6200</b> <small>± 0.0200</small> ▲</td>" in text
