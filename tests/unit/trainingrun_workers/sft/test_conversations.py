import json
from pathlib import Path
from typing import Any

import pytest

from trainingrun_workers.errors import BadData
from trainingrun_workers.sft.conversations import Fields, check_json, check_parquet

CHAT = {"type": "chat_template"}
GOOD = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return path


def fault(path: Path, item: dict[str, Any]) -> str:
    with pytest.raises(BadData) as caught:
        check_json(path, "chats.jsonl", Fields.of(item))
    assert caught.value.reason == "RowInvalid"
    return caught.value.message


def test_fields_have_axolotls_defaults() -> None:
    assert Fields.of(CHAT) == Fields("messages", "role", "content")


def test_fields_are_those_that_the_configuration_names() -> None:
    item = {**CHAT, "field_messages": "chat", "message_property_mappings": {"role": "from", "content": "value"}}

    assert Fields.of(item) == Fields("chat", "from", "value")


def test_good_rows_and_empty_lines_pass(tmp_path: Path) -> None:
    check_json(write(tmp_path / "a", GOOD, "", GOOD), "a", Fields.of(CHAT))


def test_a_list_of_rows_passes_and_its_bad_item_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps([GOOD, GOOD], indent=1))
    check_json(path, "a.json", Fields.of(CHAT))
    path.write_text(json.dumps([GOOD, {"messages": 3}]))

    assert fault(path, CHAT) == (
        "chats.jsonl item 2 has 3 in messages, which takes a list of messages: mend or remove it."
    )


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("{", "is no JSON (Expecting property name enclosed in double quotes at column 2): mend or remove it."),
        ("[1]", "is [1], but a row is a JSON object: mend or remove it."),
        ({"chat": []}, "has no field 'messages', only chat: mend it or set field_messages."),
        ({"messages": None}, "has null in messages, which takes a list of messages: mend or remove it."),
        ({"messages": ["Hi"]}, 'has "Hi" as message 1, which takes an object: mend or remove it.'),
        (
            {"messages": [GOOD["messages"][0], {"role": "assistant"}]},
            "has a message 2 without a 'content': mend it or set message_property_mappings.",
        ),
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path: Path, row: Any, words: str) -> None:
    assert fault(write(tmp_path / "a", GOOD, row), CHAT) == f"chats.jsonl line 2 {words}"


def test_a_row_that_is_not_utf8_is_named_by_its_line(tmp_path: Path) -> None:
    path = write(tmp_path / "a", GOOD)
    path.write_bytes(path.read_bytes() + b'{"messages": "caf\xe9"}\n')

    assert fault(path, CHAT).startswith("chats.jsonl line 2 is not UTF-8 (")


def test_rows_of_other_types_only_have_to_be_objects(tmp_path: Path) -> None:
    check_json(write(tmp_path / "a", {"instruction": "Hi"}), "a", Fields.of({"type": "alpaca"}))


def test_a_parquet_file_without_the_column_is_refused(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"chat": [1]}), tmp_path / "a.parquet")
    check_parquet(tmp_path / "a.parquet", "a.parquet", Fields("chat", "role", "content"))

    with pytest.raises(BadData, match="a.parquet has no column 'messages', only chat: mend it or set field_messages"):
        check_parquet(tmp_path / "a.parquet", "a.parquet", Fields.of(CHAT))


def test_a_torn_parquet_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and no more")

    with pytest.raises(BadData, match="a.parquet can't be read as parquet"):
        check_parquet(tmp_path / "a.parquet", "a.parquet", Fields.of(CHAT))


@pytest.mark.parametrize("content", ["", "  ", None, []])
def test_an_empty_turn_is_refused_but_a_system_s(tmp_path: Path, content: Any) -> None:
    system = {"messages": [{"role": "system", "content": content}, *GOOD["messages"]]}
    check_json(write(tmp_path / "a", system), "a", Fields.of(CHAT))
    empty = {"messages": [GOOD["messages"][0], {"role": "assistant", "content": content}]}

    assert fault(write(tmp_path / "a", GOOD, empty), CHAT) == (
        "chats.jsonl line 2 has an empty message 2: mend or remove it."
    )
