"""The rows of a data set: JSON objects, with a list of messages where the data set's type is chat_template."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, Self

from trainingrun_workers.errors import BadData
from trainingrun_workers.sft.templates import Template

CHAT: Final = "chat_template"
_SHOWN: Final = 120  # characters of a fault in a message


class Rule(Protocol):
    """What the rows of a data set must be like."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The fields that every row has."""

    @property
    def mend(self) -> str:
        """The keys to set where a row lacks a field."""

    def fault(self, row: Mapping[str, Any]) -> str | None:
        """What is wrong with a row, or None."""


@dataclass(frozen=True)
class Fields:
    """Where a row has its messages and a message its role and content; `messages` is None for other types of rows."""

    messages: str | None
    role: str
    content: str
    template: Template | None = None

    @classmethod
    def of(cls, item: Mapping[str, Any], config: Mapping[str, Any] | None = None) -> Self:
        """The fields that a data set of Axolotl's configuration names, with Axolotl's defaults."""
        mapping = item.get("message_property_mappings") or {}
        is_chat = str(item.get("type") or "").split(":")[0] == CHAT
        return cls(
            messages=(item.get("field_messages") or "messages") if is_chat else None,
            role=mapping.get("role") or item.get("message_field_role") or "role",
            content=mapping.get("content") or item.get("message_field_content") or "content",
            template=Template.of(item, config or {}) if is_chat else None,
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """The fields that every row has."""
        return (self.messages,) if self.messages is not None else ()

    @property
    def mend(self) -> str:
        """The keys to set where a row lacks a field."""
        return "field_messages"

    def fault(self, row: Mapping[str, Any]) -> str | None:
        """What is wrong with a row, or None."""
        if self.messages is None:
            return None
        if self.messages not in row:
            return f"has {lacks('field', self.messages, list(row), self.mend)}"
        messages = row[self.messages]
        if isinstance(messages, str):  # Axolotl decodes it
            return None
        fault = turn_fault(messages, self)
        return fault if fault or self.template is None else self.template.fault(self.plain(messages))

    def plain(self, messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The messages with role and content under these names, as a template has them."""
        return [{**one, "role": one.get(self.role), "content": one.get(self.content)} for one in messages]


def check_json(path: Path, name: str, rule: Rule) -> None:
    """BadData for the first row of a file of JSON lines (or of one JSON list) that can't be trained on.

    `name` is the file's in messages.
    """
    for where, row in _rows(path, name):
        _check(where, row, rule)


def check_parquet(path: Path, name: str, rule: Rule, rows: bool = False) -> None:
    """BadData for a file that is no parquet or lacks a column; with `rows`, for a row that can't be trained on."""
    import pyarrow
    from pyarrow import parquet

    try:
        columns = parquet.read_schema(path).names
    except pyarrow.ArrowInvalid as error:
        raise BadData("FileCorrupt", f"{name} can't be read as parquet ({error}): put a whole file there.") from error
    for column in rule.columns:
        if column not in columns:
            raise BadData("ColumnMissing", f"{name} has {lacks('column', column, columns, rule.mend)}.")
    batches = parquet.ParquetFile(path).iter_batches(columns=list(rule.columns)) if rows and rule.columns else ()
    every = (row for batch in batches for row in batch.to_pylist())
    for number, row in enumerate(every, 1):
        _check(f"{name} row {number}", row, rule)


def _rows(path: Path, name: str) -> Iterator[tuple[str, Any]]:
    """Each row with the words that say where it is."""
    if _is_list(path):
        rows = _decoded(path.read_bytes(), name)
        yield from ((f"{name} item {number}", row) for number, row in enumerate(rows, 1))
        return
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield f"{name} line {number}", _decoded(line.rstrip(), f"{name} line {number}")


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


def _check(where: str, row: Any, rule: Rule) -> None:
    fault = f"is {shown(row)}, but a row is a JSON object: mend or remove it"
    if isinstance(row, dict):
        fault = rule.fault(row) or ""
    if fault:
        raise BadData("RowInvalid", f"{where} {fault}.")


def turn_fault(messages: Any, fields: Fields, roles: Collection[str] = (), of: str = "") -> str | None:
    """What is wrong with a list of messages, or None; `roles` are those that are known, any where there are none."""
    if not isinstance(messages, list) or not messages:
        name = of.removeprefix(" of ") or fields.messages
        return f"has {shown(messages)} in {name}, which takes a list of messages: mend or remove it"
    faults = (message_fault(number, message, fields, roles, of) for number, message in enumerate(messages, 1))
    return next((fault for fault in faults if fault), None)


def message_fault(
    number: int | None, message: Any, fields: Fields, roles: Collection[str] = (), of: str = ""
) -> str | None:
    """What is wrong with a message, or None; `number` and `of` say which it is."""
    name = f"message{'' if number is None else f' {number}'}{of}"
    if not isinstance(message, dict):
        return f"has {shown(message)} as {name}, which takes an object: mend or remove it"
    role = message.get(fields.role)
    if not isinstance(role, str):
        return f"has a {name} without a {fields.role!r}: mend it or set message_property_mappings"
    if roles and role not in roles:
        return f"has a {name} of the role {role!r}, which is none of {', '.join(sorted(roles))}: mend it or set roles"
    if message.get("tool_calls"):
        return None
    if fields.content not in message:
        return f"has a {name} without a {fields.content!r}: mend it or set message_property_mappings"
    content = message[fields.content]
    text = content.strip() if isinstance(content, str) else content
    if text in (None, "", []) and role != "system":  # many data sets have a system's turn that says nothing
        return f"has an empty {name}: mend or remove it"
    return None


def lacks(kind: str, name: str, present: list[str], mend: str) -> str:
    """The words for a field that is not among those that are present."""
    return f"no {kind} {name!r}, only {', '.join(present)[:_SHOWN] or 'none'}: mend it or set {mend}"


def shown(value: Any) -> str:
    """A value in a message."""
    return json.dumps(value, ensure_ascii=False, default=str)[:_SHOWN]
