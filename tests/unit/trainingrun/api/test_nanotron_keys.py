"""Every key of the nanotron tables does what its row says."""

from typing import Any

import pytest

from published import SIXTY_FOUR_GPUS, nanotron
from trainingrun.api.key_kinds import ANYTHING
from trainingrun.api.key_table import Key, KeyTable, lines
from trainingrun.api.nanotron_config import translate
from trainingrun.api.nanotron_keys import NANOTRON_TABLE, STAGE_TABLE

CANDIDATES: tuple[Any, ...] = (
    True, False, 3, 1, -1, 0.5, "some text", ["some text"], [0.5, 0.5], {"a": 1},
    "bfloat16", "linear", "silu", "info", "adamW", "afab", "REDUCE_SCATTER",
)  # fmt: skip
ROWS: list[tuple[KeyTable, Key]] = [(table, key) for table in (NANOTRON_TABLE, STAGE_TABLE) for key in table.keys]
IDS = [key.path for _, key in ROWS]


def _reads(key: Key, value: Any) -> bool:
    try:
        key.kind.read(value)
    except ValueError:
        return False
    return True


def _value_for(key: Key) -> Any:
    """A value of the right kind about which something is said where the row has anything to say."""
    return next(value for value in CANDIDATES if _reads(key, value) and key.kind.read(value) not in key.quiet)


def _nested(path: str, value: Any) -> dict[str, Any]:
    for part in reversed(path.split(".")):
        value = {part: value}
    return value  # type: ignore[no-any-return]


@pytest.mark.parametrize(("table", "key"), ROWS, ids=IDS)
def test_a_key_becomes_what_its_row_says(table: KeyTable, key: Key) -> None:
    value = _value_for(key)
    reading = table.read(_nested(key.path, value))
    said = [note for note in reading.notes if note.path == key.path and "is missing" not in note.message]
    assert bool(said) == bool(key.sentence)
    if key.fate in ("honoured", "translated"):
        assert reading.values == {key.lands: key.kind.read(value)}
    else:
        assert reading.values == {}
    if key.fate == "refused":
        assert said[0].severity == "error"
    elif said:
        assert said[0].severity in ("translated", "ignored", "warning")


@pytest.mark.parametrize(("table", "key"), ROWS, ids=IDS)
def test_a_sentence_names_its_key_and_ends(table: KeyTable, key: Key) -> None:
    if key.sentence:
        names = key.path.split(".")
        assert any(name in key.sentence for name in names[1:] or names)
        assert key.sentence.endswith(".") and "\n" not in key.sentence


PARTICULAR = [(table, key) for table, key in ROWS if key.kind is not ANYTHING]


@pytest.mark.parametrize(("table", "key"), PARTICULAR, ids=[key.path for _, key in PARTICULAR])
def test_a_value_of_the_wrong_kind_is_an_error_that_names_the_key(table: KeyTable, key: Key) -> None:
    candidates: tuple[Any, ...] = ({}, [])
    wrong = next(value for value in candidates if not _reads(key, value))
    (note,) = [one for one in table.read(_nested(key.path, wrong)).notes if one.path == key.path]
    assert note.severity == "error" and "but takes" in note.message


@pytest.mark.parametrize(("table", "key"), ROWS, ids=IDS)
def test_a_value_that_is_allowed_says_nothing(table: KeyTable, key: Key) -> None:
    for value in key.quiet:
        assert not [note for note in table.read(_nested(key.path, value)).notes if note.path == key.path]


REQUIRED = [key for key in NANOTRON_TABLE.keys if key.example is not None]


@pytest.mark.parametrize("key", REQUIRED, ids=[key.path for key in REQUIRED])
def test_a_required_key_that_is_missing_is_named_with_an_example(key: Key) -> None:
    factory = key.path.replace("optimizer.", "optimizer.optimizer_factory.")
    config = nanotron(**{path.replace(".", "__"): None for path in (key.path, factory)})
    (error,) = translate(config, SIXTY_FOUR_GPUS).errors
    assert error.path == key.path
    assert error.message.startswith(f"{key.path} is missing: add it, for example {key.path.split('.')[-1]}: ")


def test_no_key_stands_in_the_tables_twice() -> None:
    assert len(NANOTRON_TABLE.by_path) == len(NANOTRON_TABLE.keys)
    assert len(STAGE_TABLE.by_path) == len(STAGE_TABLE.keys)


def test_the_table_can_be_shown_to_readers() -> None:
    rows = dict((path, fate) for path, fate, _ in lines(NANOTRON_TABLE.keys))
    assert rows["model.model_config.rope_theta"] == "refused"
    assert rows["tokens.train_steps"] == "honoured"
