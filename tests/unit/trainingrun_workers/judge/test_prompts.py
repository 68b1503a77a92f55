"""The file of prompts: what is read, and what is refused before anything is asked."""

import json
from pathlib import Path

import pytest

from trainingrun_workers.errors import BadConfig, BadData
from trainingrun_workers.judge.prompts import Prompt, read_prompts


def written(tmp_path: Path, *lines: str) -> Path:
    (tmp_path / "prompts.jsonl").write_text("\n".join(lines))
    return tmp_path / "prompts.jsonl"


def test_prompts_come_in_order_with_what_they_have_and_without_what_is_unknown(tmp_path: Path) -> None:
    rows = [{"prompt": "Perché?", "language": "it", "reference": "Così."}, {"prompt": "Why?\u2028Now", "id": 7}]
    path = written(tmp_path, *(json.dumps(row, ensure_ascii=False) for row in rows), "", "")
    assert read_prompts(path) == (Prompt("Perché?", "Così.", "it"), Prompt("Why?\u2028Now"))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "Line 2 of .* is no JSON"),
        ('"text"', "but a line is a JSON object"),
        ('{"text": "x"}', "has null as its prompt"),
        ('{"prompt": "  "}', "as its prompt, which takes a text"),
        ('{"prompt": ["x"]}', r'has \["x"\] as its prompt'),
        ('{"prompt": "x", "language": 3}', "has 3 as its language"),
        ('{"prompt": "Why?"}', "has the prompt of line 1 again"),
    ],
)
def test_a_line_that_is_none_is_named(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(BadData, match=said):
        read_prompts(written(tmp_path, '{"prompt": "Why?"}', line))


def test_a_file_without_prompts_or_of_other_bytes_or_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="has no prompts"):
        read_prompts(written(tmp_path, "", " "))
    (tmp_path / "latin").write_bytes(b'{"prompt": "perch\xe9"}')
    with pytest.raises(BadData, match="is not UTF-8"):
        read_prompts(tmp_path / "latin")
    with pytest.raises(BadConfig, match="There is no file of prompts at .*/none: put one"):
        read_prompts(tmp_path / "none")
