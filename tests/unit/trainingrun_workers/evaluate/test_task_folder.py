"""A user's task folder made fit for the harness."""

from pathlib import Path

import pytest
import yaml

from trainingrun_workers.errors import StageError
from trainingrun_workers.evaluate.task_folder import TaskFolder

TASK = """
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {file}}}}}
tag: numbers
process_docs: !function code.process
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep/parity.yaml").write_text(TASK.format(name="parity", file="rows.jsonl"))
    (folder / "deep/rows.jsonl").write_text('{"text": "one"}\n')
    (folder / "deep/code.py").write_text("def process(rows): return rows\n")
    return folder


def prepare(source: Path) -> TaskFolder:
    return TaskFolder.prepare(source, source.parent / "prepared")


def refused(source: Path) -> StageError:
    with pytest.raises(StageError) as caught:
        prepare(source)
    return caught.value


def test_data_files_become_absolute_and_functions_and_code_stay(source: Path) -> None:
    folder = prepare(source)
    text = (folder.prepared / "deep/parity.yaml").read_text()
    assert str(source / "deep/rows.jsonl") in text
    assert "process_docs: !function 'code.process'" in text
    assert (folder.prepared / "deep/code.py").resolve() == source / "deep/code.py"


def test_lists_patterns_and_addresses_of_data_are_understood(source: Path) -> None:
    (source / "deep/more.yaml").write_text(
        "task: more\ndataset_path: json\ndataset_kwargs:\n  data_files: {test: [rows.jsonl, 'r*.jsonl', 'hf://x/y.json']}\n"
    )
    content = yaml.safe_load((prepare(source).prepared / "deep/more.yaml").read_text())
    assert content["dataset_kwargs"]["data_files"]["test"] == [
        str(source / "deep/rows.jsonl"), str(source / "deep/r*.jsonl"), "hf://x/y.json",
    ]  # fmt: skip


def test_what_a_file_includes_counts_as_its_own(source: Path) -> None:
    (source / "deep/_base").write_text("dataset_path: json\ndataset_kwargs: {data_files: {test: rows.jsonl}}\n")
    (source / "deep/child.yaml").write_text("include: _base\ntask: child\n")
    content = yaml.safe_load((prepare(source).prepared / "deep/child.yaml").read_text())
    assert content["dataset_kwargs"]["data_files"]["test"] == str(source / "deep/rows.jsonl")
    assert content["include"] == "_base"


def test_the_digest_follows_definition_data_and_code(source: Path) -> None:
    digests = {prepare(source).digest("parity")}
    for number, (name, text) in enumerate(
        [("rows.jsonl", '{"text": "two"}\n'), ("code.py", "def process(rows): return []\n"), ("parity.yaml", TASK)]
    ):
        (source / "deep" / name).write_text(text.format(name="parity", file="rows.jsonl") if text is TASK else text)
        if text is TASK:
            with (source / "deep" / name).open("a") as file:
                file.write("num_fewshot: 3\n")
        digests.add(TaskFolder.prepare(source, source.parent / f"prepared-{number}").digest("parity"))
    assert len(digests) == 4
    assert None not in digests


def test_a_group_is_closed_only_with_all_its_members(source: Path) -> None:
    (source / "suite.yaml").write_text("group: suite\ntask: [parity]\n")
    (source / "mixed.yaml").write_text("group: mixed\ntask: [parity, hellaswag]\n")
    folder = prepare(source)
    assert folder.closed("suite")
    assert folder.closed("numbers")
    assert not folder.closed("mixed")
    assert not folder.closed("hellaswag")
    assert folder.digest("hellaswag") is None


def test_missing_and_empty_data_are_named_for_a_group_too(source: Path) -> None:
    (source / "suite.yaml").write_text("group: suite\ntask: [parity]\n")
    (source / "deep/rows.jsonl").write_text("")
    with pytest.raises(StageError, match=r"deep/rows.jsonl of task parity is empty"):
        prepare(source).check_data("suite")
    (source / "deep/rows.jsonl").unlink()
    folder = TaskFolder.prepare(source, source.parent / "again")
    with pytest.raises(StageError, match=r"deep/rows.jsonl of task parity is missing") as caught:
        folder.check_data("suite")
    assert caught.value.exit_code == 65


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("task: [unclosed\n", "can't be read"),
        ("- one\n- two\n", "holds no mapping"),
        ("include: nowhere\ntask: x\n", "includes nowhere, which is missing"),
        ("include: broken.yaml\ntask: x\n", "in a circle"),
    ],
)
def test_a_broken_task_file_is_named(source: Path, text: str, said: str) -> None:
    (source / "broken.yaml").write_text(text)
    error = refused(source)
    assert (error.exit_code, error.reason) == (78, "TaskFileInvalid")
    assert "broken.yaml" in error.message
    assert said in error.message


def test_a_missing_folder_is_the_configurations_fault(tmp_path: Path) -> None:
    assert refused(tmp_path / "nowhere").reason == "TaskFolderMissing"
