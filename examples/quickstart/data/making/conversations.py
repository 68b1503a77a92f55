"""Conversations and pairs of answers to train on: translate this paragraph, from English and into it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from making.handbook import Document, order

ROWS: Final = 1000  # a language, at most
PAIRS: Final = 16  # a language, at most: few, that a small model can learn by heart in a minute
MOST_TOKENS: Final = 220  # of a conversation's contents; with the turns' marks it fits into 256
CHARACTERS: Final = range(12, 400)
SYSTEM: Final = "You translate between English and {name}."


@dataclass(frozen=True)
class Phrases:
    """How one asks for a translation: the language's English name, and `into English` in the language itself."""

    name: str
    into_english: str


PHRASES: Final = {
    "it": Phrases("Italian", "Traduci in inglese:"),
    "es": Phrases("Spanish", "Traduce al inglés:"),
    "fr": Phrases("French", "Traduis en anglais :"),
    "pt": Phrases("Portuguese", "Traduza para o inglês:"),
}

Conversation = dict[str, list[dict[str, str]]]
Preference = dict[str, Any]


def conversations(
    english: Sequence[Document], other: Sequence[Document], language: str, count: Callable[[str], int]
) -> list[Conversation]:
    """Up to ROWS conversations from the sections that both have, short ones, every second one into English."""
    pairs = sorted(_pairs(english, other), key=lambda pair: order("\n".join(pair)))
    found: list[Conversation] = []
    for first, second in pairs:
        one = _conversation(first, second, PHRASES[language], into_english=len(found) % 2 == 1)
        if sum(count(turn["content"]) for turn in one["messages"]) <= MOST_TOKENS:
            found.append(one)
    return found[:ROWS]


def preferences(rows: Sequence[Conversation], count: Callable[[str], int]) -> list[Preference]:
    """Up to PAIRS questions of conversations with two answers: the right one, and that to the question after next.

    That is a translation in the same direction, but of another paragraph.
    """
    found: list[Preference] = []
    for row, other in zip(rows, rows[2:], strict=False):
        *asked, chosen = row["messages"]
        rejected = other["messages"][-1]
        longest = max(count(answer["content"]) for answer in (chosen, rejected))
        fits = sum(count(turn["content"]) for turn in asked) + longest <= MOST_TOKENS
        if fits and chosen != rejected:
            found.append({"messages": asked, "chosen": chosen, "rejected": rejected})
    return found[:PAIRS]


def _pairs(english: Sequence[Document], other: Sequence[Document]) -> set[tuple[str, str]]:
    translations: dict[str, Any] = {one.key: one.blocks for one in other}
    return {
        (text, translation)
        for one in english
        for (kind, text), (_, translation) in zip(one.blocks, translations.get(one.key, ()), strict=False)
        if kind != "listing" and text != translation and len(text) in CHARACTERS and len(translation) in CHARACTERS
    }


def _conversation(english: str, other: str, phrases: Phrases, into_english: bool) -> Conversation:
    ask, question, answer = (
        (phrases.into_english, other, english) if into_english else (f"Translate into {phrases.name}:", english, other)
    )
    return {
        "messages": [
            {"role": "system", "content": SYSTEM.format(name=phrases.name)},
            {"role": "user", "content": f"{ask}\n\n{question}"},
            {"role": "assistant", "content": answer},
        ]
    }
