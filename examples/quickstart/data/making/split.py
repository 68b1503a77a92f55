"""Which sections are trained on and which are held out: decided by the section's key, so alike in every language."""

from dataclasses import dataclass
from typing import Final

from making.handbook import Document, order

HELD_OUT_PARAGRAPHS: Final = 150  # English ones, at least; translations have fewer, as some were never translated
CHARACTERS: Final = range(220, 901)  # of a paragraph that an evaluation can use
FEWEST_WORDS: Final = 40


@dataclass(frozen=True)
class Split:
    """The sections of one language, both parts in the order of their hashes: mixed, but the same every time."""

    trained: tuple[Document, ...]
    held_out: tuple[Document, ...]


def held_out_keys(english: list[Document]) -> frozenset[str]:
    """The keys of the sections to hold out: the first by hash that together give enough paragraphs."""
    keys: set[str] = set()
    count = 0
    for one in sorted(english, key=lambda section: order(section.key)):
        if count >= HELD_OUT_PARAGRAPHS:
            break
        keys.add(one.key)
        count += len(paragraphs((one,)))
    return frozenset(keys)


def split(documents: list[Document], keys: frozenset[str]) -> Split:
    """Both parts of a language's sections; sections left empty by the lack of a translation are in neither."""
    ordered = [one for one in sorted(documents, key=lambda section: order(section.key)) if one.text()]
    return Split(tuple(one for one in ordered if one.key not in keys), tuple(one for one in ordered if one.key in keys))


def paragraphs(sections: tuple[Document, ...]) -> list[str]:
    """The paragraphs of the sections that are long enough to ask about and short enough to be cheap."""
    return [
        text
        for one in sections
        for kind, text in one.blocks
        if kind == "text" and len(text) in CHARACTERS and len(text.split()) >= FEWEST_WORDS
    ]
