"""The language of a task, as far as its name tells it."""

import re
from typing import Final

# Names of tasks that say nothing of their language, by their beginnings: the report's and the harness' own.
BEGINNINGS: Final = {
    "assin2": "pt", "bluex": "pt", "enem": "pt", "faquad": "pt", "hatebr": "pt", "oab": "pt", "portuguese": "pt",
    "tweetsentbr": "pt", "evalita": "it", "ifeval-ita": "it", "ifeval_ita": "it",
}  # fmt: skip
LANGUAGES: Final = frozenset({"ar", "ca", "de", "el", "en", "es", "eu", "fr", "gl", "hi", "it", "nl", "pl", "pt", "zh"})
_SUFFIX: Final = re.compile(r"[_-]([a-z]{2})(?:[_-][a-z]{2})?$")


def language(task: str) -> str | None:
    """ISO 639-1 code of a task's language: hellaswag_it and mmmlu_it_it are Italian; None where nothing tells it."""
    known = next((code for start, code in BEGINNINGS.items() if task.lower().startswith(start)), None)
    match = _SUFFIX.search(task.lower())
    suffix = match[1] if match is not None and match[1] in LANGUAGES else None
    return known or suffix
