from pathlib import Path
from typing import Any

import pytest

from trainingrun_workers.errors import BadConfig, BadData
from trainingrun_workers.sft import datasets
from trainingrun_workers.volume import Volume


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    (tmp_path / "sft").mkdir()
    (tmp_path / "sft/a.jsonl").write_text('{"messages": [{"role": "user", "content": "Hi"}]}\n')
    (tmp_path / "sft/b.jsonl").write_text("torn\n")
    return Volume(tmp_path)


def config(**item: Any) -> dict[str, Any]:
    return {"datasets": [{"type": "chat_template", **item}]}


def test_files_are_listed_with_size_and_time(volume: Volume) -> None:
    found = datasets.files(config(path="sft/a.jsonl"), volume)

    status = (volume.root / "sft/a.jsonl").stat()
    assert found == {"sft/a.jsonl": [status.st_size, status.st_mtime_ns]}


def test_data_of_the_hub_are_left_to_axolotl(volume: Volume) -> None:
    assert datasets.files(config(path="hf://owner/name"), volume) == {}


def test_a_missing_file_is_named(volume: Volume) -> None:
    with pytest.raises(BadData, match=r"datasets\[0\] is to be read from sft/c.jsonl, but the volume has no such file"):
        datasets.files(config(path="sft/c.jsonl"), volume)


def test_a_missing_file_of_a_folder_is_named(volume: Volume) -> None:
    with pytest.raises(BadData, match="is to be read from sft/c.jsonl"):
        datasets.files(config(path="sft", data_files=["a.jsonl", "c.jsonl"]), volume)


def test_an_empty_file_is_refused(volume: Volume) -> None:
    (volume.root / "sft/a.jsonl").write_text("")

    with pytest.raises(BadData) as caught:
        datasets.files(config(path="sft/a.jsonl"), volume)
    assert caught.value.reason == "DatasetEmpty"


def test_a_path_out_of_the_volume_is_refused(volume: Volume) -> None:
    with pytest.raises(BadConfig, match="leads out of the volume"):
        datasets.files(config(path="../a.jsonl"), volume)


def test_only_the_files_that_are_asked_for_are_looked_at(volume: Volume) -> None:
    datasets.check(config(path="sft", data_files="a.jsonl"), volume)

    with pytest.raises(BadData, match="sft/b.jsonl line 1 is no JSON"):
        datasets.check(config(path="sft"), volume)


def test_files_of_another_format_are_left_to_axolotl(volume: Volume) -> None:
    datasets.check(config(path="sft/b.jsonl", ds_type="csv"), volume)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ('{"content": "x"}', "line 2 has no field 'text', only content: mend it or set field"),
        ('{"text": null}', "line 2 has null in text, which takes a text"),
        ('{"text": 3}', "line 2 has 3 in text, which takes a text"),
        ('"x"', 'line 2 is "x", but a row is a JSON object'),
    ],
)
def test_a_row_of_plain_text_without_a_text_is_named(volume: Volume, row: str, words: str) -> None:
    (volume.root / "sft/texts.jsonl").write_text('{"text": ""}\n' + row + "\n")
    with pytest.raises(BadData, match=words):
        datasets.check(config(path="sft/texts.jsonl", type="completion", field="text"), volume)


def test_plain_text_may_have_its_field_under_any_name(volume: Volume) -> None:
    (volume.root / "sft/texts.jsonl").write_text('{"content": "x"}\n')
    datasets.check(config(path="sft/texts.jsonl", type="completion", field="content"), volume)
