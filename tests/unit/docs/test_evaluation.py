"""docs/evaluation.md tells of the sets and of the shipped tasks as they are."""

import re
from pathlib import Path

from trainingrun.api.task_sets import TASK_SETS
from trainingrun_workers.evaluate.tasks import FOLDER

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "evaluation.md").read_text()


def test_every_set_stands_there_with_its_tasks_and_numbers() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| (.+) \|$", TEXT.partition("<!-- /sets -->")[0], re.MULTILINE)
    assert dict(rows) == {
        name: ", ".join(f"{task} {fewshot}" for task, fewshot in tasks) for name, tasks in TASK_SETS.items()
    }


def test_every_shipped_task_stands_there_with_its_data_set_and_the_revision() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| [^|]+ \| ([^|]+) \| ([^|]+) \|$", TEXT, re.MULTILINE)
    told = {task: (data, revision) for task, data, revision in rows}
    for path in FOLDER.glob("*.yaml"):
        definition = path.read_text()
        parts = re.findall(r"^dataset_(?:path|name): (\S+)$", definition, re.MULTILINE)
        revision = re.search(r"revision: ([^}]+)}", definition)
        assert revision and told.pop(path.stem) == (", ".join(parts), revision[1])
    assert told == {}
