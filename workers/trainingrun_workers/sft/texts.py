"""The rows of a data set of plain text: each has a text in a field of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from trainingrun_workers.sft.conversations import lacks, shown

TYPE: Final = "completion"


@dataclass(frozen=True)
class Texts:
    """Where a row has its text. An empty one is no fault: corpora have them, and Axolotl passes over them."""

    field: str

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> Self:
        """The field that a data set of Axolotl's configuration names, with Axolotl's default."""
        return cls(item.get("field") or "text")

    @property
    def columns(self) -> tuple[str, ...]:
        """The fields that every row has."""
        return (self.field,)

    @property
    def mend(self) -> str:
        """The keys to set where a row lacks a field."""
        return "field"

    def fault(self, row: Mapping[str, Any]) -> str | None:
        """What is wrong with a row, or None."""
        if self.field not in row:
            return f"has {lacks('field', self.field, list(row), self.mend)}"
        text = row[self.field]
        return None if isinstance(text, str) else f"has {shown(text)} in {self.field}, which takes a text: mend it"
