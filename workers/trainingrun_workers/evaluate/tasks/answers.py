"""What a generated answer says: a letter, a label or a number, as the Portuguese leaderboard reads them.

Its rules (the filters of https://github.com/eduagarcia/lm-evaluation-harness-pt) are kept so that scores can be
compared, odd ones too: all digits of an answer are taken together, for example.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

INVALID: Final = "[invalid]"

_ENOUGH: Final = 0.5  # likeness from which an answer counts as the label it is most like
_ENDS: Final = re.compile(r"[.,;:()\[\]\n]")


def letter(text: str, letters: str, mark: str) -> str:
    """The option that an answer chooses, or INVALID; `mark` stands behind the letters of the question's options."""
    text = plain(" ".join(text.split()))
    if text in letters and len(text) == 1:
        return text
    for pattern in (
        rf"(?i:letra|alternativa|resposta(?: correta)?(?: e)?|opcao):? ([{letters}])\b",
        rf"\b([{letters}]){re.escape(mark)}",
        rf"\b([{letters}]) ?[.):-]",
        rf"\b([{letters}])$",
        rf"\b([{letters}])\b",
    ):
        found = re.search(pattern, text)
        if found:
            return found[1]
    return INVALID


def label(text: str, labels: Sequence[str]) -> str:
    """The label that an answer names, or is at least half like, or INVALID."""
    known = {plain(one.strip().lower()): one for one in labels}
    text = plain(text.strip().lower())
    if text in known:
        return known[text]
    named = [one for one in known if one in text]
    if len(named) == 1:
        return known[named[0]]
    start = _ENDS.split(text, maxsplit=1)[0][: max(map(len, known))]
    likeness = {one: 1 - distance(start, one) / max(len(start), len(one)) for one in known}
    best = max(likeness, key=lambda one: likeness[one])
    return known[best] if text and likeness[best] >= _ENOUGH else INVALID


def number(text: str, low: float, high: float, otherwise: float) -> float:
    """The number between `low` and `high` of all digits in an answer; `otherwise` where there are none."""
    digits = re.sub(r"[^0-9.]", "", text.replace(",", "."))
    point = re.search(r"[0-9]\.[0-9]", digits)
    whole, fraction = (digits[: point.start() + 1], digits[point.start() + 2 :]) if point else (digits, "")
    digits = whole.replace(".", "") + ("." + fraction.replace(".", "") if fraction else "")
    return min(high, max(low, float(digits))) if digits else otherwise


def plain(text: str) -> str:
    """A text without its accents."""
    return "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))


def distance(one: str, other: str) -> int:
    """Levenshtein's: how many letters have to be put in, taken out or exchanged."""
    row = list(range(len(other) + 1))
    for i, mine in enumerate(one, start=1):
        above, row[0] = row[0], i
        for j, theirs in enumerate(other, start=1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (mine != theirs))
    return row[-1]
