"""The rows of a data set: JSON objects, with a list of messages where the data set's type is chat_template."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from trainingrun_workers.errors import BadData

CHAT: Final = "chat_template"
_SHOWN: Final = 120  # characters of a fault in a message


@dataclass(frozen=True)
class Fields:
    """Where a row has its messages and a message its role and content; `messages` is None for other types of rows."""

    messages: str | None
    role: str
    content: str

    @classmethod
    def of(cls, item: dict[str, Any]) -> Self:
        """The fields that a data set of Axolotl's configuration names, with Axolotl's defaults."""
        mapping = item.get("message_property_mappings") or {}
        is_chat = str(item.get("type") or "").split(":")[0] == CHAT
        return cls(
            messages=(item.get("field_messages") or "messages") if is_chat else None,
            role=mapping.get("role") or item.get("message_field_role") or "role",
            content=mapping.get("content") or item.get("message_field_content") or "content",
        )


def check_json(path: Path, shown: str, fields: Fields) -> None:
    """BadData for the first row of a file of JSON lines (or of one JSON list) that can't be trained on.

    `shown` is the file's name in messages.
    """
    for where, row in _rows(path, shown):
        fault = _fault(row, fields)
        if fault:
            raise BadData("RowInvalid", f"{where} {fault}.")


def check_parquet(path: Path, shown: str, fields: Fields) -> None:
    """BadData for a file that is no parquet or lacks the column of messages."""
    import pyarrow
    from pyarrow import parquet

    try:
        columns = parquet.read_schema(path).names
    except pyarrow.ArrowInvalid as error:
        raise BadData("FileCorrupt", f"{shown} can't be read as parquet ({error}): put a whole file there.") from error
    if fields.messages is not None and fields.messages not in columns:
        raise BadData("ColumnMissing", f"{shown} has {_lacks('column', fields.messages, columns)}.")


def _rows(path: Path, shown: str) -> Iterator[tuple[str, Any]]:
    """Each row with the words that say where it is."""
    if _is_list(path):
        rows = _decoded(path.read_bytes(), shown)
        yield from ((f"{shown} item {number}", row) for number, row in enumerate(rows, 1))
        return
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield f"{shown} line {number}", _decoded(line.rstrip(), f"{shown} line {number}")


def _is_list(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4096).lstrip().startswith(b"[")


def _decoded(text: bytes, where: str) -> Any:
    try:
        return json.loads(text)
    except UnicodeDecodeError as error:
        raise BadData("RowInvalid", f"{where} is not UTF-8 ({error.reason}): write it as UTF-8.") from error
    except json.JSONDecodeError as error:
        raise BadData(
            "RowInvalid", f"{where} is no JSON ({error.msg} at column {error.colno}): mend or remove it."
        ) from error


def _fault(row: Any, fields: Fields) -> str | None:
    """What is wrong with a row, or None."""
    if not isinstance(row, dict):
        return f"is {_words(row)}, but a row is a JSON object: mend or remove it"
    if fields.messages is None:
        return None
    if fields.messages not in row:
        return f"has {_lacks('field', fields.messages, list(row))}"
    messages = row[fields.messages]
    if isinstance(messages, str):  # Axolotl decodes it
        return None
    if not isinstance(messages, list) or not messages:
        return f"has {_words(messages)} in {fields.messages}, which takes a list of messages: mend or remove it"
    faults = (_message_fault(number, message, fields) for number, message in enumerate(messages, 1))
    return next((fault for fault in faults if fault), None)


def _message_fault(number: int, message: Any, fields: Fields) -> str | None:
    if not isinstance(message, dict):
        return f"has {_words(message)} as message {number}, which takes an object: mend or remove it"
    if not isinstance(message.get(fields.role), str):
        return f"has a message {number} without a {fields.role!r}: mend it or set message_property_mappings"
    if fields.content not in message and not message.get("tool_calls"):
        return f"has a message {number} without a {fields.content!r}: mend it or set message_property_mappings"
    return None


def _lacks(kind: str, name: str, present: list[str]) -> str:
    return f"no {kind} {name!r}, only {', '.join(present)[:_SHOWN] or 'none'}: mend it or set field_messages"


def _words(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:_SHOWN]
