"""The quickstart's evaluation tasks: nothing but word order tells the right answer from the wrong ones."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tokenizers import Tokenizer

Lines = Callable[[str], list[Any]]

LANGUAGES = ["en", "it", "es", "fr", "pt"]
TASKS = [f"{kind}_{language}" for kind in ("continuation", "held_out") for language in LANGUAGES]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_question_has_one_right_answer_among_four_different_ones(lines: Lines, language: str) -> None:
    questions = lines(f"evaluation/continuation_{language}.jsonl")
    assert 100 <= len(questions) <= 125
    for one in questions:
        right = one["choices"][one["answer"]]
        assert len(one["choices"]) == len(set(one["choices"])) == 4
        assert all(sorted(choice.split()) == sorted(right.split()) for choice in one["choices"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_model_that_knows_nothing_finds_no_shorter_answer(data: Path, lines: Lines, language: str) -> None:
    tokenizer = Tokenizer.from_file(str(data / "tokenizer" / "tokenizer.json"))
    for one in lines(f"evaluation/continuation_{language}.jsonl"):
        assert len({len(tokenizer.encode(f" {choice}").ids) for choice in one["choices"]}) == 1
        assert len({len(choice.encode()) for choice in one["choices"]}) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_place_among_the_choices_is_right_too_often(lines: Lines, language: str) -> None:
    places = Counter(one["answer"] for one in lines(f"evaluation/continuation_{language}.jsonl"))
    assert sorted(places) == [0, 1, 2, 3]
    assert max(places.values()) <= 0.4 * places.total()


@pytest.mark.parametrize("name", TASKS)
def test_a_task_names_a_file_beside_it(data: Path, name: str) -> None:
    task = yaml.safe_load((data / "evaluation" / f"{name}.yaml").read_text(encoding="utf-8"))
    assert task["task"] == name
    assert (data / "evaluation" / task["dataset_kwargs"]["data_files"]["test"]).is_file()
    assert task["dataset_path"] == "json"


def test_the_languages_are_asked_about_the_same_number_of_held_out_texts(lines: Lines) -> None:
    assert {len(lines(f"evaluation/held_out_{language}.jsonl")) for language in LANGUAGES} == {60}
