"""Runs an evaluate stage's pod: each model's scores are on the volume as soon as they are known."""

import json
import logging
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.contract import EvaluatedModel, EvaluateSpec, ExitCode, Result, StageInput
from trainingrun_workers.errors import BadConfig
from trainingrun_workers.evaluate.dataset_folder import DatasetFolder
from trainingrun_workers.evaluate.questions import write_questions
from trainingrun_workers.evaluate.results import TaskResult, document, evaluation_key, main_scores, read_document
from trainingrun_workers.evaluate.task_folder import TaskFolder
from trainingrun_workers.evaluate.tasks import FOLDER
from trainingrun_workers.offline import go_offline
from trainingrun_workers.reporting import Reporter
from trainingrun_workers.volume import Volume, make_folder, mark_complete, write_atomic

HUB_CACHE: Final = "huggingface"  # at the volume's root: a hub cache that was filled beforehand
LOGGER: Final = logging.getLogger(__name__)
_FILE_NAME: Final = re.compile(r"[\w.-]+")


def run(stage_input: StageInput, volume: Volume, reporter: Reporter) -> Result:
    """Score the batch's models; those that already have a document of this very evaluation are left alone.

    The output is {"models": {name: {"step", "scores": {"task/metric": value}}}} with the main metric of each task.
    """
    spec: EvaluateSpec = stage_input.spec  # type: ignore[assignment]
    quieten(volume)
    folder = make_folder(volume.path(stage_input.folder))
    with tempfile.TemporaryDirectory(prefix="tasks-") as scratch:
        reporter.update(unit="tasks", total=len(spec.models) * len(spec.tasks), activity="reading the tasks")
        tasks = Tasks.prepare(spec, volume, Path(scratch))
        evaluation = Evaluation(spec, tasks, folder, reporter)
        done = {model.name: evaluation.of(model, volume.path(model.folder)) for model in spec.models}
    if spec.progression:
        from trainingrun_workers.evaluate.progression import write_progression

        reporter.update(activity="drawing")
        write_progression(folder, evaluation.key)
    output = {"models": {name: {"step": one["step"], "scores": main_scores(one)} for name, one in done.items()}}
    mark_complete(folder, output)
    reporter.update(activity="done")
    return Result(int(ExitCode.DONE), "Completed", f"{len(done)} models are evaluated.", output=output)


@dataclass(frozen=True)
class Tasks:
    """Where tasks are defined besides lm-eval, and where their data sets lie."""

    folders: tuple[TaskFolder, ...]
    user: TaskFolder | None
    datasets: DatasetFolder | None

    @classmethod
    def prepare(cls, spec: EvaluateSpec, volume: Volume, scratch: Path) -> "Tasks":
        """Make the folders fit for the harness; BadConfig where the user's own takes the name of a task of ours."""
        ours = TaskFolder.prepare(FOLDER, scratch / "ours")
        user = TaskFolder.prepare(volume.path(spec.task_folder), scratch / "user") if spec.task_folder else None
        taken = next((name for name in sorted(user.names if user else ()) if name in ours), None)
        if user is not None and taken is not None:
            raise BadConfig(
                "TaskNameTaken",
                f"The task folder {user.source} defines {taken}, which is a task of this release already: give yours "
                "another name.",
            )
        datasets = DatasetFolder(volume.path(spec.dataset_folder)) if spec.dataset_folder else None
        if datasets is not None and not datasets.root.is_dir():
            raise BadConfig("DatasetFolderMissing", f"There is no folder {datasets.root}: put the data sets there.")
        return cls((ours, user) if user else (ours,), user, datasets)

    def digest(self, name: str) -> str | None:
        """The digest of a task that one of the folders defines."""
        return next((folder.digest(name) for folder in self.folders if name in folder), None)


class Evaluation:
    """One set of tasks and seeds; the harness is loaded with the first model that needs it.

    It is loaded at once where data sets lie in a folder, since only the definitions tell which of them are read.
    """

    def __init__(self, spec: EvaluateSpec, tasks: Tasks, folder: Path, reporter: Reporter) -> None:
        from trainingrun_workers.evaluate.harness import version

        self._spec = spec
        self._tasks = tasks
        self._folder = folder
        self._reporter = reporter
        self._harness: Any = None
        self._version = version()
        for task in spec.tasks:
            for one in tasks.folders:
                one.check_data(task.name)
        digests = {task.name: tasks.digest(task.name) for task in spec.tasks}
        if tasks.datasets is not None:
            self._loaded()
            digests = {name: f"{own} {tasks.datasets.digest(name)}" for name, own in digests.items()}
        self.key = evaluation_key(spec, self._version, digests)

    def of(self, model: EvaluatedModel, source: Path) -> dict[str, Any]:
        """The document of a model, made where it isn't there yet."""
        if not _FILE_NAME.fullmatch(model.name):
            raise BadConfig(
                "ModelNameInvalid", f"The model name {model.name!r} can't name a file: use letters and dashes."
            )
        path = self._folder / f"{model.name}.json"
        known = read_document(path, self.key)
        if known is not None:
            self._advance(len(self._spec.tasks))
            return known
        if not (source / "config.json").is_file():  # looked for here since loading the harness takes its time
            raise BadConfig("ModelMissing", f"There is no model at {source}: the stage that makes it has not finished.")
        self._reporter.update(activity=f"loading {model.name}")
        harness = self._loaded()
        loaded = harness.model(source)
        self._reporter.update(activity=f"evaluating {model.name}")
        results = harness.evaluate(loaded, lambda task: self._advance(1))
        self._note_fewshot(results)
        dtype = str(loaded.model.dtype).removeprefix("torch.")
        content = document(model, self._spec, self._version, self.key, dtype, results)
        write_questions(path, self.key, results)
        write_atomic(path, json.dumps(content, indent=1) + "\n")
        LOGGER.info("%s: %s", model.name, main_scores(content))
        return content

    def _note_fewshot(self, results: list[TaskResult]) -> None:
        asked = {task.name: task.fewshot for task in self._spec.tasks}
        notes = tuple(
            f"Task {one.name} is scored {one.fewshot}-shot, not {asked[one.name]}-shot: its definition fixes that."
            for one in results
            if asked.get(one.name) is not None and one.fewshot != asked[one.name]
        )
        self._reporter.update(notes=notes)

    def _loaded(self) -> Any:
        if self._harness is None:
            from trainingrun_workers.evaluate.harness import Harness

            self._harness = Harness(self._spec, self._tasks.folders, self._tasks.user, self._tasks.datasets)
        return self._harness

    def _advance(self, tasks: int) -> None:
        self._reporter.update(step=self._reporter.snapshot.step + tasks)


def quieten(volume: Volume) -> None:
    """Settings that the libraries read when they are imported."""
    go_offline()
    cache = volume.path(HUB_CACHE)
    if cache.is_dir():
        os.environ.update(HF_HOME=str(cache), HF_DATASETS_CACHE=str(cache / "datasets"))
    os.environ.setdefault("TQDM_MININTERVAL", "60")
    os.environ["DISABLE_MULTIPROC"] = "1"  # bootstrapping in processes of its own would load everything again
    for name in ("lm_eval", "httpx", "matplotlib"):
        logging.getLogger(name).setLevel(logging.ERROR)
