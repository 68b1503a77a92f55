"""What went into a token file so far, and what was left out of it."""

from dataclasses import dataclass, fields
from typing import Final


@dataclass
class Counts:
    """Counts of one unit; every row of its inputs is in exactly one of documents, empty, filtered and broken."""

    tokens: int = 0  # ids written, ends of text included
    documents: int = 0
    text_bytes: int = 0  # of those documents, UTF-8
    documents_with_end_of_text: int = 0
    special_tokens: int = 0  # documents that hold another special token as text
    empty: int = 0  # rows without text
    broken: int = 0  # lines that are no JSON object with the text key, texts that are no UTF-8
    filtered: int = 0  # rows whose score is too small or missing

    def to_record(self) -> dict[str, int]:
        """The counts under the names of a unit's record."""
        return {RECORD_KEYS[one.name]: getattr(self, one.name) for one in fields(self)}


RECORD_KEYS: Final = {
    "tokens": "tokens",
    "documents": "documents",
    "text_bytes": "textBytes",
    "documents_with_end_of_text": "documentsWithEndOfText",
    "special_tokens": "specialTokens",
    "empty": "empty",
    "broken": "broken",
    "filtered": "filtered",
}
