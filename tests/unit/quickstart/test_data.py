"""The quickstart's data as they are shipped."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

Lines = Callable[[str], list[Any]]

LANGUAGES = ("en", "it", "es", "fr", "pt")
FINEWEB = ["text", "id", "dump", "url", "date", "file_path", "language", "language_score", "token_count"]
TURNS = ["system", "user", "assistant"]


def column(folder: Path, name: str) -> list[str]:
    """A column of all parquet files of a folder."""
    return [text for path in sorted(folder.glob("*.parquet")) for text in pq.read_table(path)[name].to_pylist()]


def check(folder: Path) -> subprocess.CompletedProcess[str]:
    """What `make.py --check` says of a folder."""
    command = [sys.executable, str(folder / "make.py"), "--check"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_every_file_is_the_one_that_was_made(data: Path) -> None:
    result = check(data)
    assert (result.returncode, result.stderr) == (0, "")


def test_every_data_file_has_a_checksum(data: Path) -> None:
    known = {line.split("  ")[1] for line in (data / "checksums.sha256").read_text().splitlines()}
    folders = ("raw", "tokenizer", "sft", "evaluation", "licences")
    there = {path.relative_to(data).as_posix() for name in folders for path in (data / name).rglob("*.*")}
    assert there | {"SOURCES.md"} == known


def test_a_changed_and_a_missing_file_are_each_reported(data: Path, tmp_path: Path) -> None:
    copy = tmp_path / "data"
    shutil.copytree(data, copy)
    with (copy / "sft" / "conversations.jsonl").open("a") as file:
        file.write("\n")
    (copy / "tokenizer" / "tokenizer.json").unlink()
    result = check(copy)
    assert result.returncode == 1
    changed, missing = result.stderr.splitlines()
    assert changed.startswith("sft/conversations.jsonl") and "isn't the file that was made" in changed
    assert missing.startswith("tokenizer/tokenizer.json is missing")


def test_all_together_are_small_enough_to_ship(data: Path) -> None:
    names = [line.split("  ")[1] for line in (data / "checksums.sha256").read_text().splitlines()]
    assert sum((data / name).stat().st_size for name in names) < 4_000_000


@pytest.mark.parametrize("language", LANGUAGES)
def test_text_is_in_finewebs_columns_in_several_files_of_several_row_groups(data: Path, language: str) -> None:
    files = sorted((data / "raw" / language).glob("*.parquet"))
    assert len(files) >= 2
    for path in files:
        assert pq.read_schema(path).names == FINEWEB
        assert pq.read_metadata(path).num_row_groups >= 2
    assert set(column(data / "raw" / language, "language")) == {language}
    ids = column(data / "raw" / language, "id")
    assert len(set(ids)) == len(ids)


def test_code_is_in_a_column_of_its_own_name_and_is_python(data: Path) -> None:
    modules = column(data / "raw" / "code", "content")
    assert len(modules) > 50
    for module in modules:
        compile(module, "module", "exec", dont_inherit=True)
        assert "copyright" not in module.lower()


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_held_out_paragraph_was_trained_on(data: Path, lines: Lines, language: str) -> None:
    trained = "\n".join(" ".join(text.split()) for text in column(data / "raw" / language, "text"))
    turns = [turn for row in lines("sft/conversations.jsonl") for turn in row["messages"]]
    tuned = "\n".join(" ".join(turn["content"].split()) for turn in turns)
    held_out = [row["text"] for row in lines(f"evaluation/held_out_{language}.jsonl")]
    asked = lines(f"evaluation/continuation_{language}.jsonl")
    held_out += [f"{one['context']} {one['choices'][one['answer']]}" for one in asked]
    assert len(held_out) > 150
    assert [text for text in held_out if text in trained or text in tuned] == []


def test_what_the_tuned_model_is_tried_on_is_not_among_what_it_is_tuned_on(lines: Lines) -> None:
    tuned = {turn["content"] for row in lines("sft/conversations.jsonl") for turn in row["messages"][1:]}
    tried = {turn["content"] for row in lines("sft/held_out.jsonl") for turn in row["messages"][1:]}
    shared = {text for text in tuned & tried if len(text) > 80}  # short headings repeat themselves
    assert tried and not shared


@pytest.mark.parametrize("name", ["conversations", "held_out"])
def test_conversations_are_a_system_turn_a_question_and_an_answer(lines: Lines, name: str) -> None:
    rows = lines(f"sft/{name}.jsonl")
    assert len(rows) >= {"conversations": 900, "held_out": 50}[name]
    for row in rows:
        assert [turn["role"] for turn in row["messages"]] == TURNS
        assert all(turn["content"].strip() for turn in row["messages"])


def test_of_two_answers_the_right_one_is_chosen_and_the_other_belongs_to_another_question(lines: Lines) -> None:
    answers = {row["messages"][1]["content"]: row["messages"][2]["content"] for row in lines("sft/conversations.jsonl")}
    pairs = lines("sft/preferences.jsonl")
    assert len(pairs) == 16
    for pair in pairs:
        asked, chosen, rejected = pair["messages"][1]["content"], pair["chosen"]["content"], pair["rejected"]["content"]
        assert [turn["role"] for turn in (*pair["messages"], pair["chosen"], pair["rejected"])] == [*TURNS, TURNS[2]]
        assert answers[asked] == chosen != rejected
        assert rejected in answers.values()


def test_half_of_the_conversations_go_into_english(lines: Lines) -> None:
    asked = [row["messages"][1]["content"].split("\n")[0] for row in lines("sft/conversations.jsonl")]
    assert set(asked) == {"Translate into Italian:", "Traduci in inglese:"}
    assert abs(asked.count("Traduci in inglese:") - len(asked) / 2) <= 1
