"""lm-eval tasks from held-out paragraphs: which continuation follows, and how many bits a byte takes."""

import json
import random
from pathlib import Path
from typing import Any, Final

from making.handbook import order

QUESTIONS: Final = 120  # a language, at most
TEXTS: Final = 60
CONTEXT_WORDS: Final = 24
CONTINUATION_WORDS: Final = 14
SWAPPED: Final = ((3, 8), (5, 10))  # where a word changes places with the next, in two of the wrong answers

CONTINUATION: Final = """\
# Which of four orders of the same words goes on with a held-out paragraph? Made by ../make.py.
# The wrong ones: halves exchanged; two pairs of neighbours exchanged, at two places each. All four have as many
# characters and tokens, so a model that knows nothing is right one time in four.
task: continuation_{language}
dataset_path: json
dataset_kwargs:
  data_files:
    test: continuation_{language}.jsonl  # relative to this file's folder
test_split: test
num_fewshot: 0
output_type: multiple_choice
doc_to_text: "{{{{context}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: "{{{{answer}}}}"
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
  - {{metric: acc_norm, aggregation: mean, higher_is_better: true}}
metadata: {{version: 1.0}}
"""

HELD_OUT: Final = """\
# Bits that the model needs for a byte of held-out paragraphs, and its perplexity a word. Made by ../make.py.
task: held_out_{language}
dataset_path: json
dataset_kwargs:
  data_files:
    test: held_out_{language}.jsonl  # relative to this file's folder
test_split: test
num_fewshot: 0
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{{{text}}}}"
metric_list:
  - {{metric: bits_per_byte, aggregation: bits_per_byte, higher_is_better: false}}
  - {{metric: word_perplexity, aggregation: weighted_perplexity, higher_is_better: false}}
metadata: {{version: 1.0}}
"""


def write_tasks(folder: Path, language: str, held_out: list[str]) -> list[Path]:
    """Both tasks of a language in `folder`: a YAML and a JSON-lines file each."""
    folder.mkdir(parents=True, exist_ok=True)
    ordered = sorted(held_out, key=order)
    asked = [one for one in map(question, ordered) if one][:QUESTIONS]
    texts = [{"text": one} for one in ordered[:TEXTS]]
    written = []
    for name, template, rows in (("continuation", CONTINUATION, asked), ("held_out", HELD_OUT, texts)):
        task = folder / f"{name}_{language}.yaml"
        task.write_text(template.format(language=language), encoding="utf-8")
        written += [task, write_lines(task.with_suffix(".jsonl"), rows)]
    return written


def question(paragraph: str) -> dict[str, Any] | None:
    """A paragraph's start, four orders of the words after it, and which one is right; None where no four differ."""
    words = paragraph.split()
    right = words[CONTEXT_WORDS : CONTEXT_WORDS + CONTINUATION_WORDS]
    generator = random.Random(order(paragraph))
    half = len(right) // 2
    orders = [right, right[half:] + right[:half], *(_swapped(right, places) for places in SWAPPED)]
    choices = [" ".join(one) for one in orders]
    if len(set(choices)) < len(choices):
        return None
    generator.shuffle(choices)
    return {
        "context": " ".join(words[:CONTEXT_WORDS]),
        "choices": choices,
        "answer": choices.index(" ".join(right)),
    }


def write_lines(path: Path, rows: list[Any]) -> Path:
    """The rows as JSON lines in `path`, which is given back."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows), encoding="utf-8")
    return path


def _swapped(words: list[str], places: tuple[int, ...]) -> list[str]:
    changed = list(words)
    for place in places:
        changed[place], changed[place + 1] = words[place + 1], words[place]
    return changed
