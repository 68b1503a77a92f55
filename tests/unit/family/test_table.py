"""What runs on one claim have saved each other, as their statuses tell it."""

import re
from typing import Any

from e2e.family_table import Model, document, first, made_twice, saved, seconds

ENGLISH, CODE = "artifacts/tokens/e", "artifacts/tokens/c"


def a_run(language: str, minute: int, reused: str = "", **output: str) -> dict[str, Any]:
    """A run that has succeeded: 300 tokens, 100 of them English, 50 code, of two bytes and four bytes of text each."""
    shared = {"handbook-en": 100, "python": 50}
    found = sum(shared[name] for name in reused.split(", ") if name)
    figures = {
        "tokens": "300", "bytes": "600", "textBytes": "1200", "reusedSources": reused, "reusedTokens": str(found),
        "reusedBytes": str(2 * found), "reusedTextBytes": str(4 * found), "textBytesPerCpuSecond": "200",
    }  # fmt: skip
    tokenize = {
        "name": "tokenize",
        "startedAt": f"2027-01-15T08:{minute:02d}:00Z",
        "tokens": {"handbook-en": ENGLISH, f"handbook-{language}": f"artifacts/tokens/{language}", "python": CODE},
        "output": figures | output,
    }
    pretrain = {"name": "pretrain", "output": {"firstLoss": "8.4", "loss": "5.25"}}
    checkpoints = [
        {"step": 150, "scores": {"held_out_en/bits": 3.0}},
        {"step": 300, "scores": {"held_out_en/bits": 2.0}},
    ]
    status = {"stages": [tokenize, pretrain], "checkpoints": checkpoints}
    return {"metadata": {"name": f"en-{language}"}, "status": status}


def four() -> list[Model]:
    runs = [a_run("pt", 4, "handbook-en, python"), a_run("it", 1), a_run("es", 2, "handbook-en, python")]
    return [Model.of(one) for one in (*runs, a_run("fr", 3, "handbook-en"))]


def test_what_was_saved_is_summed_at_the_first_runs_own_rate() -> None:
    models = four()
    assert first(models).name == "en-it"
    assert [seconds(one, models) for one in models] == [3.0, 0.0, 3.0, 2.0]
    assert saved(models) == (
        "Reused: 400 of 1,200 tokens (33 %), 800 bytes of token files and 8.00 CPU-seconds of tokenizing, at the 200 "
        "bytes of text a CPU-second that en-it measured."
    )


def test_a_run_that_made_nothing_measures_nothing() -> None:
    models = [Model.of(a_run("it", 1, "handbook-en, python", textBytesPerCpuSecond="0")), Model.of(a_run("es", 2))]
    assert first(models).name == "en-es"


def test_where_nothing_was_reused_that_is_said() -> None:
    assert saved([Model.of(a_run("it", 1))]).startswith("Nothing was reused")


def test_the_table_has_a_line_a_model_in_the_order_in_which_they_tokenized() -> None:
    lines = [line for line in document(four()).splitlines() if line.startswith("| en-")]
    assert [re.split(r" \| ?", line)[0] for line in lines] == ["| en-it", "| en-es", "| en-fr", "| en-pt"]
    assert lines[1] == (
        "| en-es | 8.40 → 5.25 | held_out_en/bits 2.0000 | 300 | handbook-en, python | 150 | 300 | 3.00 |"
    )


def test_each_token_folder_says_who_made_it_and_who_used_it_again() -> None:
    text = document(four())
    assert f"| {ENGLISH} | handbook-en | en-it | en-es, en-fr, en-pt |" in text
    assert f"| {CODE} | python | en-it, en-fr | en-es, en-pt |" in text
    assert "| artifacts/tokens/es | handbook-es | en-es | – |" in text


def test_a_source_that_two_runs_made_is_named() -> None:
    assert made_twice(four()) == ["python"]
    assert made_twice([Model.of(a_run("it", 1)), Model.of(a_run("es", 2, "handbook-en, python"))]) == []
