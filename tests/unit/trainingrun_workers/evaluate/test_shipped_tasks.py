"""The task files that come with the workers: whole, fit for the harness, and with names of their own."""

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from trainingrun.api.task_sets import TASK_SETS
from trainingrun_workers.contract import EvaluateSpec
from trainingrun_workers.errors import BadConfig
from trainingrun_workers.evaluate.stage import Tasks
from trainingrun_workers.evaluate.task_folder import TaskFolder
from trainingrun_workers.evaluate.tasks import FOLDER
from trainingrun_workers.volume import Volume


class Loader(yaml.SafeLoader):
    pass


Loader.add_constructor("!function", lambda loader, node: f"!{loader.construct_scalar(node)}")


def definitions() -> dict[str, dict[str, Any]]:
    """Each file's definition by its name, with what it includes."""
    found = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        own = yaml.load(path.read_text(), Loader=Loader)  # noqa: S506 - a SafeLoader
        shared = FOLDER / own["include"] if "include" in own else None
        found[path.stem] = (yaml.load(shared.read_text(), Loader=Loader) if shared else {}) | own  # noqa: S506
    return found


DEFINITIONS = definitions()


def spec(**folders: str) -> EvaluateSpec:
    values: dict[str, Any] = {"task_folder": None, **folders}
    return EvaluateSpec(models=(), tasks=(), seed=1, batch_size=1, cpu=True, progression=False, **values)


def functions(definition: Any) -> list[str]:
    """The functions that a definition names, wherever in it."""
    if isinstance(definition, dict):
        return [name for value in definition.values() for name in functions(value)]
    if isinstance(definition, list):
        return [name for value in definition for name in functions(value)]
    return [definition[1:]] if isinstance(definition, str) and definition.startswith("!") else []


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_task_says_its_name_its_data_set_and_the_revision(name: str) -> None:
    definition = DEFINITIONS[name]
    assert definition["task"] == name
    assert "/" in definition["dataset_path"]
    assert set(definition["metadata"]) == {"version", "revision"}
    assert (
        "github.com/" in (FOLDER / f"{name}.yaml").read_text() or "arxiv.org/" in (FOLDER / f"{name}.yaml").read_text()
    )


@pytest.mark.parametrize("name", DEFINITIONS)
def test_the_functions_that_a_task_names_are_there(name: str) -> None:
    for one in functions(DEFINITIONS[name]):
        module, _, function = one.rpartition(".")
        assert callable(getattr(importlib.import_module(module), function))


def test_the_sets_ask_shipped_tasks_with_their_own_few_shot_numbers() -> None:
    asked = dict(task for tasks in TASK_SETS.values() for task in tasks)
    assert {name: asked[name] for name in DEFINITIONS} == {
        name: definition["num_fewshot"] for name, definition in DEFINITIONS.items()
    }


def test_a_shipped_task_counts_as_closed_and_has_a_digest(tmp_path: Path) -> None:
    tasks = Tasks.prepare(spec(), Volume(tmp_path), tmp_path / "scratch")
    assert all(tasks.folders[0].closed(name) for name in DEFINITIONS)
    assert tasks.digest("bluex") != tasks.digest("oab_exams")
    assert tasks.digest("arc_it") is None


def test_a_users_task_that_takes_a_shipped_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/mine.yaml").write_text("task: bluex\ndataset_path: json\n")
    with pytest.raises(BadConfig, match="own defines bluex, which is a task of this release already") as caught:
        Tasks.prepare(spec(task_folder="own"), Volume(tmp_path), tmp_path / "scratch")
    assert caught.value.reason == "TaskNameTaken"


def test_a_folder_of_data_sets_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="There is no folder .*/datasets: put the data sets there"):
        Tasks.prepare(spec(dataset_folder="datasets"), Volume(tmp_path), tmp_path / "scratch")


def test_files_of_a_folder_that_are_no_tasks_are_left_in_place(tmp_path: Path) -> None:
    folder = TaskFolder.prepare(FOLDER, tmp_path)
    assert (folder.prepared / "leaderboard.py").resolve() == FOLDER / "leaderboard.py"
