"""Data sets on the volume: how they may lie there, and what is said where one doesn't."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from trainingrun_workers.errors import BadData
from trainingrun_workers.evaluate.dataset_folder import DatasetFolder

TASK = {
    "task": "m_mmlu_it", "dataset_path": "org/mmlu", "dataset_name": "it", "test_split": "test",
    "fewshot_split": "train", "metadata": {"version": 1, "revision": "abc123"},
}  # fmt: skip
PLAIN = {"task": "exam", "dataset_path": "org/exam", "test_split": "train"}


def lay(root: Path, *names: str, text: str = "{}\n") -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def files(root: Path, task: dict[str, Any]) -> dict[str, list[str]]:
    """Where a task is led to, by split, relative to the data set."""
    config = DatasetFolder(root).localized(dict(task))
    folder = root / task["dataset_path"]
    listed = config["dataset_kwargs"]["data_files"]
    return {split: [str(Path(one).relative_to(folder)) for one in paths] for split, paths in listed.items()}


LAYOUTS = [
    (("it/test.jsonl", "it/train.jsonl"), {"test": ["it/test.jsonl"], "train": ["it/train.jsonl"]}),
    (
        ("it/test/0000.parquet", "it/train/0000.parquet", "it/train/0001.parquet", "fr/test/0000.parquet"),
        {"test": ["it/test/0000.parquet"], "train": ["it/train/0000.parquet", "it/train/0001.parquet"]},
    ),
    (("data/it/test.csv", "data/it/train.csv"), {"test": ["data/it/test.csv"], "train": ["data/it/train.csv"]}),
]


@pytest.mark.parametrize(("names", "found"), LAYOUTS)
def test_a_configurations_splits_are_found_by_their_names(
    tmp_path: Path, names: tuple[str, ...], found: dict[str, list[str]]
) -> None:
    lay(tmp_path / "org/mmlu", *names)
    assert files(tmp_path, TASK) == found


def test_a_task_reads_the_files_and_nothing_of_the_hub(tmp_path: Path) -> None:
    lay(tmp_path / "org/mmlu", "it/test.jsonl", "it/train.jsonl")
    config = DatasetFolder(tmp_path).localized(TASK | {"dataset_kwargs": {"trust_remote_code": True}})
    assert (config["dataset_path"], config["dataset_name"]) == ("json", None)
    assert list(config["dataset_kwargs"]) == ["data_files"]


def test_the_card_says_which_files_a_configuration_has(tmp_path: Path) -> None:
    card = yaml.safe_dump({"configs": [{"config_name": "it", "data_files": [
        {"split": "test", "path": "a/mmlu_IT-*"}, {"split": "train", "path": ["b.csv"]},
    ]}]})  # fmt: skip
    lay(tmp_path / "org/mmlu", "a/mmlu_IT-IT.csv", "a/mmlu_FR-FR.csv", "b.csv")
    lay(tmp_path / "org/mmlu", "README.md", text=f"---\n{card}---\n# MMLU\n")
    assert files(tmp_path, TASK) == {"test": ["a/mmlu_IT-IT.csv"], "train": ["b.csv"]}


def test_a_card_that_is_no_yaml_is_named(tmp_path: Path) -> None:
    lay(tmp_path / "org/mmlu", "README.md", text="---\nconfigs: [\n---\n")
    with pytest.raises(BadData, match="org/mmlu/README.md is no YAML"):
        files(tmp_path, TASK)


def test_files_that_name_no_split_are_all_of_split_train(tmp_path: Path) -> None:
    lay(tmp_path / "org/exam", "questions.jsonl", "dataset_info.json")
    assert files(tmp_path, PLAIN) == {"train": ["questions.jsonl"]}


def test_the_hubs_conversion_is_read_where_there_is_no_configuration(tmp_path: Path) -> None:
    lay(tmp_path / "org/exam", "default/train/0000.parquet", "default/test/0000.parquet")
    assert files(tmp_path, PLAIN) == {"train": ["default/train/0000.parquet"]}


def test_a_validation_split_goes_by_its_other_names_too(tmp_path: Path) -> None:
    lay(tmp_path / "org/exam", "validation.jsonl")
    assert files(tmp_path, {"dataset_path": "org/exam", "validation_split": "val"}) == {"val": ["validation.jsonl"]}


@pytest.mark.parametrize(
    "own",
    [
        {"dataset_path": "json", "dataset_kwargs": {"data_files": {"test": "x"}}},
        {"dataset_path": "org/exam", "custom_dataset": len},
        {"group": "many", "task": ["one"]},
    ],
)
def test_what_reads_no_data_set_of_the_hub_stays_as_it_is(tmp_path: Path, own: dict[str, Any]) -> None:
    assert DatasetFolder(tmp_path).localized(own) == own


def test_a_missing_split_is_said_with_its_folder_and_the_revision(tmp_path: Path) -> None:
    lay(tmp_path / "org/mmlu", "it/train.jsonl")
    with pytest.raises(BadData) as caught:
        files(tmp_path, TASK)
    assert caught.value.message == (
        "Task m_mmlu_it needs split test of configuration it of data set org/mmlu (revision abc123 on the hub), but it "
        f"is not in {tmp_path}/org/mmlu: put it there, for example as {tmp_path}/org/mmlu/it/test.parquet or .jsonl."
    )


def test_a_data_set_that_is_not_there_at_all_is_said_likewise(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="needs split train of data set org/exam .revision main on the hub."):
        files(tmp_path, PLAIN)


def test_the_digest_is_of_the_files_that_the_task_was_led_to(tmp_path: Path) -> None:
    def digest() -> str:
        folder = DatasetFolder(tmp_path)
        folder.reading_for("suite")
        folder.localized(dict(TASK))
        return folder.digest("suite")

    lay(tmp_path / "org/mmlu", "it/test.jsonl", "it/train.jsonl", "fr/test.jsonl")
    before = digest()
    lay(tmp_path / "org/mmlu", "fr/test.jsonl", text="another\n")
    assert digest() == before
    lay(tmp_path / "org/mmlu", "it/test.jsonl", text="another\n")
    assert digest() != before
