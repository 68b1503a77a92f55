"""A task's language, by its name."""

import pytest

from trainingrun_workers.report.languages import language


@pytest.mark.parametrize(
    ("task", "code"),
    [("hellaswag_it", "it"), ("m_mmlu_es", "es"), ("mmmlu_pt_br", "pt"), ("mmmlu_it_it", "it"), ("ifeval-ita", "it"),
     ("evalita-mp", "it"), ("oab_exams", "pt"), ("assin2_rte", "pt"), ("ifeval", None), ("code_xy", None),
     ("held_out_en", "en"), ("portuguese_hate_speech", "pt")],
)  # fmt: skip
def test_the_language_of_a_task(task: str, code: str | None) -> None:
    assert language(task) == code
