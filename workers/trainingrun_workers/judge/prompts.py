"""What the models are asked: a file of JSON lines, checked whole before anything is asked."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainingrun_workers.errors import BadConfig, BadData

_SHOWN = 80  # characters of a bad line in a sentence


@dataclass(frozen=True)
class Prompt:
    """One request, with a right answer and its language where the file has them."""

    text: str
    reference: str | None = None
    language: str | None = None


def read_prompts(path: Path) -> tuple[Prompt, ...]:
    """The file's prompts in its order; BadConfig where there is no file, BadData where a line is not as it must be."""
    if not path.is_file():
        raise BadConfig("PromptsMissing", f"There is no file of prompts at {path}: put one on the volume.")
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise _bad(f"The file {path} is not UTF-8 ({error.reason}): write it as UTF-8.") from error
    found: dict[str, int] = {}
    prompts = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        prompt = _prompt(line, f"Line {number} of {path}")
        first = found.setdefault(prompt.text, number)
        if first != number:
            raise _bad(f"Line {number} of {path} has the prompt of line {first} again: remove one of them.")
        prompts.append(prompt)
    if not prompts:
        raise _bad(f"The file {path} has no prompts: write one JSON object with a prompt on each line.")
    return tuple(prompts)


def _prompt(line: str, where: str) -> Prompt:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise _bad(f"{where} is no JSON ({error.msg} at column {error.colno}): mend or remove it.") from error
    if not isinstance(row, dict):
        raise _bad(f"{where} is {_words(row)}, but a line is a JSON object: mend or remove it.")
    text = row.get("prompt")
    if not isinstance(text, str) or not text.strip():
        raise _bad(f"{where} has {_words(text)} as its prompt, which takes a text: mend or remove it.")
    for key in ("reference", "language"):
        if not isinstance(row.get(key), str | None):
            raise _bad(f"{where} has {_words(row[key])} as its {key}, which takes a text: mend or remove it.")
    return Prompt(text, row.get("reference") or None, row.get("language") or None)


def _bad(sentence: str) -> BadData:
    return BadData("PromptsInvalid", sentence)


def _words(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:_SHOWN]
