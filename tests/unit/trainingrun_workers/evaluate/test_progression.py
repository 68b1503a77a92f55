"""Scores over steps as a document and as a table."""

from typing import Any

from trainingrun_workers.evaluate.progression import progression, table


def scored(step: int, accuracy: float, bits: float) -> dict[str, Any]:
    return {
        "step": step, "model": f"step-{step:08d}", "harness": "0.4.13", "seed": 1,
        "tasks": {"parity": {"acc": accuracy, "acc_stderr": 0.05}, "held_out": {"bits_per_byte": bits}},
        "main": {"parity": "acc", "held_out": "bits_per_byte"},
        "higherIsBetter": {"parity": {"acc": True}, "held_out": {"bits_per_byte": False}},
        "fewshot": {"parity": 5, "held_out": 5},
    }  # fmt: skip


def test_every_step_has_its_scores_and_errors() -> None:
    content = progression([scored(0, 0.25, 3.5), scored(300, 0.5, 2.5)], "key")
    assert content["series"]["parity/acc"] == {
        "task": "parity", "metric": "acc", "higherIsBetter": True, "fewshot": 5,
    }  # fmt: skip
    assert content["steps"][1] == {
        "step": 300, "model": "step-00000300", "scores": {"parity/acc": 0.5, "held_out/bits_per_byte": 2.5},
        "stderr": {"parity/acc": 0.05},
    }  # fmt: skip


def test_the_table_has_a_row_a_step_and_the_best_scores_in_bold() -> None:
    lines = table(progression([scored(0, 0.25, 3.5), scored(300, 0.5, 2.5)], "key")).splitlines()
    assert lines[2] == "| step | parity acc ↑ | held_out bits_per_byte ↓ |"
    assert lines[4] == "| 0 | 0.2500 | 3.5000 |"
    assert lines[5] == "| 300 | **0.5000** | **2.5000** |"
    assert "5-shot, seed 1" in lines[7]


def test_a_single_step_has_no_best() -> None:
    assert "**" not in table(progression([scored(0, 0.25, 3.5)], "key"))


def test_a_task_that_was_added_later_leaves_earlier_cells_empty() -> None:
    early = scored(0, 0.25, 3.5)
    del early["main"]["held_out"]
    assert "| 0 | 0.2500 |  |" in table(progression([early, scored(300, 0.5, 2.5)], "key"))


def test_no_documents_make_an_empty_progression() -> None:
    assert progression([], "key")["steps"] == []
