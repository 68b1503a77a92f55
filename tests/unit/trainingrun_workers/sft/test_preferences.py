"""Rows of pairs of answers: each fault is one sentence with file and line."""

import json
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from trainingrun_workers.errors import BadData
from trainingrun_workers.sft import datasets
from trainingrun_workers.volume import Volume

USER = {"role": "user", "content": "Hi"}
GOOD = {
    "messages": [USER],
    "chosen": {"role": "assistant", "content": "Hello"},
    "rejected": {"role": "assistant", "content": "Go"},
}
CHAT = {"path": "pairs.jsonl", "ds_type": "json", "type": "chat_template.default"}
TEXTS = {"path": "pairs.jsonl", "type": {"field_prompt": "question", "field_chosen": "yes", "field_rejected": "no"}}
WHOLE = {"path": "pairs.jsonl", "type": "chat_template.argilla_chat"}
CHOSEN, REJECTED = [USER, GOOD["chosen"]], [USER, GOOD["rejected"]]


def check(root: Path, item: dict[str, Any], *rows: Any) -> None:
    (root / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    datasets.check({"rl": "dpo", "datasets": [item]}, Volume(root))


@pytest.mark.parametrize(
    ("item", "row"),
    [
        (CHAT, GOOD),
        (CHAT, {**GOOD, "chosen": "Hello", "rejected": "Go"}),
        (CHAT, {**GOOD, "chosen": CHOSEN, "rejected": REJECTED}),
        (CHAT, {**GOOD, "messages": "Hi"}),
        (CHAT, {**GOOD, "messages": [{"role": "system", "content": ""}, USER]}),
        ({**CHAT, "field_chosen": "a", "field_rejected": "b"}, {"messages": [USER], "a": "x", "b": "y"}),
        (
            {**CHAT, "roles": {"user": ["human"], "assistant": ["assistant"]}},
            {**GOOD, "messages": [{"role": "human", "content": "Hi"}]},
        ),
        (TEXTS, {"question": "Hi", "yes": "Hello", "no": "Go"}),
        (WHOLE, {"chosen": CHOSEN, "rejected": REJECTED}),
        ({**CHAT, "type": "chatml.intel"}, {"question": "Hi", "chosen": "Hello", "rejected": "Go"}),
        ({**CHAT, "type": "zephyr.nectar"}, {"prompt": "Hi", "answers": []}),
    ],
)
def test_good_pairs_pass(tmp_path: Path, item: dict[str, Any], row: dict[str, Any]) -> None:
    check(tmp_path, item, row, row)


@pytest.mark.parametrize(
    ("item", "change", "words"),
    [
        (CHAT, {"rejected": GOOD["chosen"]}, "has the same answer in chosen and rejected, from which nothing can be"),
        (CHAT, {"rejected": "Hello "}, "has the same answer in chosen and rejected"),
        (CHAT, {"chosen": None}, "has null as message in chosen, which takes an object"),
        (CHAT, {"chosen": ""}, 'has "" in chosen, which takes an answer: mend or remove it'),
        (CHAT, {"rejected": {"content": "Go"}}, "has a message in rejected without a 'role'"),
        (CHAT, {"rejected": {"role": "assistant", "content": " "}}, "has an empty message in rejected"),
        (CHAT, {"rejected": []}, "has [] as message in rejected, which takes an object"),
        (CHAT, {"messages": [{"content": "Hi"}]}, "has a message 1 without a 'role'"),
        (CHAT, {"messages": [USER, {"role": "user", "content": ""}]}, "has an empty message 2: mend or remove it"),
        (CHAT, {"messages": [{"role": "human", "content": "Hi"}]}, "of the role 'human', which is none of assistant,"),
        (CHAT, {"messages": []}, "has [] in messages, which takes a list of messages"),
        (TEXTS, {}, "has no field 'question', only messages, chosen, rejected: mend it or set field_prompt, field_ch"),
        (TEXTS, {"question": 3, "yes": "a", "no": "b"}, "has 3 in question, which takes a text"),
        (TEXTS, {"question": "Hi", "yes": "a", "no": "a"}, "has the same answer in yes and no"),
        (TEXTS, {"question": "Hi", "yes": ["a"], "no": "b"}, 'has ["a"] in yes, which takes an answer'),
        (WHOLE, {"chosen": "Hello"}, 'has "Hello" in chosen, which takes a list of messages'),
        (WHOLE, {"chosen": CHOSEN, "rejected": [USER, {"role": "assistant", "content": ""}]}, "message 2 of rejected"),
        ({**CHAT, "type": "chatml.intel"}, {"chosen": "a", "rejected": "a"}, "has the same answer"),
    ],
)
def test_a_pair_that_cannot_be_trained_on_is_refused_by_file_and_line(
    tmp_path: Path, item: dict[str, Any], change: dict[str, Any], words: str
) -> None:
    good = {"question": "Q", "yes": "a", "no": "b"} if item is TEXTS else GOOD
    if item is WHOLE:
        good = {"chosen": CHOSEN, "rejected": REJECTED}
    bad = {**(good if item is WHOLE else GOOD), **change}
    with pytest.raises(BadData) as caught:
        check(tmp_path, item, good, bad)
    assert caught.value.reason == "RowInvalid"
    assert caught.value.message.startswith("pairs.jsonl line 2 ")
    assert words in caught.value.message


@pytest.mark.parametrize("name", ["chosen", "rejected", "messages"])
def test_a_pair_that_lacks_a_field_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadData, match=f"pairs.jsonl line 2 has no field '{name}', only"):
        check(tmp_path, CHAT, GOOD, {key: value for key, value in GOOD.items() if key != name})


def test_rows_of_parquet_are_looked_at_as_well(tmp_path: Path) -> None:
    rows = [{"question": "Hi", "yes": "a", "no": "b"}, {"question": "Hi", "yes": "a", "no": "a"}]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "pairs.parquet")
    config = {"rl": "dpo", "datasets": [{**TEXTS, "path": "pairs.parquet"}]}
    with pytest.raises(BadData, match=r"pairs.parquet row 2 has the same answer in yes and no"):
        datasets.check(config, Volume(tmp_path))
    parquet.write_table(pyarrow.Table.from_pylist([{"yes": "a"}]), tmp_path / "pairs.parquet")
    with pytest.raises(BadData, match="pairs.parquet has no column 'question', only yes"):
        datasets.check(config, Volume(tmp_path))


def test_conversations_are_held_to_no_such_rule(tmp_path: Path) -> None:
    (tmp_path / "pairs.jsonl").write_text(json.dumps({**GOOD, "rejected": GOOD["chosen"]}) + "\n")
    datasets.check({"datasets": [{**CHAT, "type": "chat_template"}]}, Volume(tmp_path))
