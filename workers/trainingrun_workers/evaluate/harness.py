"""lm-eval 0.4.13 in this process: tasks read once, then any number of models, without its request cache.

The cache is left off since it hands out old prompts for edited data.
"""

import difflib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.contract import EvaluateSpec, EvaluationTask
from trainingrun_workers.errors import BadConfig, BadData
from trainingrun_workers.evaluate.dataset_folder import DatasetFolder
from trainingrun_workers.evaluate.questions import by_question
from trainingrun_workers.evaluate.results import TaskResult, main_metric, plain_metrics
from trainingrun_workers.evaluate.sentence_data import find_sentence_data
from trainingrun_workers.evaluate.task_folder import TaskFolder
from trainingrun_workers.models import load_model, load_tokenizer, parameter_count

_BOOTSTRAP: Final = 1000  # draws for the standard error of metrics that have no formula for it

# Below so many parameters threads wait for each other longer than they compute, four times the work on two cores.
_SMALL: Final = 50_000_000


def version() -> str:
    """The harness' version."""
    return metadata.version("lm_eval")


@dataclass(frozen=True)
class LoadedTask:
    """A requested task with what lm-eval made of its name: one task, a group, or the tasks of a tag."""

    request: EvaluationTask
    parts: tuple[Any, ...]


class Harness:
    """The requested tasks, ready for models: from the given folders, the last of them the user's if there is one."""

    def __init__(
        self, spec: EvaluateSpec, folders: Sequence[TaskFolder], user: TaskFolder | None, datasets: DatasetFolder | None
    ) -> None:
        from lm_eval.tasks import TaskManager

        known = all(any(folder.closed(task.name) for folder in folders) for task in spec.tasks)
        _leave_environment_alone()
        self._manager = TaskManager(include_path=[folder.prepared for folder in folders], include_defaults=not known)
        if datasets is not None:
            _read_from(self._manager, datasets)
        self._datasets = datasets
        self._spec = spec
        unknown = [task.name for task in spec.tasks if task.name not in self._manager.task_index]
        if unknown:
            raise BadConfig("TaskUnknown", self._unknown(unknown[0], user))
        self.tasks = [self._load(task) for task in spec.tasks]

    def model(self, folder: Path) -> Any:
        """A model in a folder as lm-eval takes it: float32 on a CPU, else in its own type."""
        import torch
        from lm_eval.models.huggingface import HFLM

        model, tokenizer = load_model(folder, self._spec.cpu), load_tokenizer(folder)
        if self._spec.cpu:
            model = model.float()
            if parameter_count(model) < _SMALL:
                torch.set_num_threads(1)
        return HFLM(pretrained=model, tokenizer=tokenizer, batch_size=self._spec.batch_size)

    def evaluate(self, model: Any, done: Callable[[str], None]) -> list[TaskResult]:
        """All tasks' results of one model; `done` is called with each task's name as it ends."""
        results: list[TaskResult] = []
        for task in self.tasks:
            results.extend(self.evaluate_task(model, task))
            done(task.request.name)
        return results

    def evaluate_task(self, model: Any, task: LoadedTask) -> list[TaskResult]:
        """One task's results of one model; BadConfig where lm-eval can't score it."""
        try:
            return list(self._evaluate(model, task))
        except (AssertionError, ValueError, KeyError, TypeError, IndexError) as error:
            raise BadConfig(
                "EvaluationFailed",
                f"lm-eval can't score task {task.request.name} ({str(error) or type(error).__name__}): look "
                f"whether its answers fit into the model's {model.max_length} tokens and its fields are in its "
                "data.",
            ) from error

    def _evaluate(self, model: Any, task: LoadedTask) -> Iterator[TaskResult]:
        from lm_eval import simple_evaluate

        seed = self._spec.seed
        raw = simple_evaluate(
            model=model,
            tasks=list(task.parts),
            num_fewshot=task.request.fewshot,
            limit=task.request.limit,
            task_manager=self._manager,
            bootstrap_iters=_BOOTSTRAP,
            log_samples=True,
            cache_requests=False,
            random_seed=seed,
            numpy_random_seed=seed,
            torch_random_seed=seed,
            fewshot_random_seed=seed,
        )
        name = task.request.name
        if name in raw["results"] and plain_metrics(raw["results"][name]):
            yield _result(name, raw, subtasks=name in raw["group_subtasks"])
            return
        for one in raw["results"]:  # a tag, or a group that aggregates nothing
            if one not in raw["group_subtasks"]:
                yield _result(one, raw, subtasks=False)

    def _load(self, task: EvaluationTask) -> LoadedTask:
        from datasets.exceptions import DatasetGenerationError, DatasetNotFoundError

        find_sentence_data(task.name, self._datasets.root if self._datasets else None)
        if self._datasets is not None:
            self._datasets.reading_for(task.name)
        try:
            loaded = self._manager.load([task.name])
        except (OSError, DatasetGenerationError, DatasetNotFoundError) as error:
            text = " ".join(str(error).split())[:300]
            raise BadData(
                "TaskDataUnreadable",
                f"The data of task {task.name} can't be read ({text}): pods work offline, so they must be whole files "
                "on the volume that the task's YAML names in data_files, lie in evaluate.datasetFolder, or in a hub "
                "cache at huggingface/.",
            ) from error
        except (ValueError, TypeError, KeyError, AttributeError, ImportError) as error:
            raise BadConfig(
                "TaskFileInvalid",
                f"lm-eval refuses the definition of task {task.name}: {type(error).__name__}: {error}",
            ) from error
        group = loaded.get("groups", {}).get(task.name)
        return LoadedTask(task, (group,) if group is not None else tuple(loaded["tasks"].values()))

    def _unknown(self, name: str, folder: TaskFolder | None) -> str:
        near = difflib.get_close_matches(name, self._manager.all_tasks, n=3, cutoff=0.5)
        where = f"neither {folder.source} nor lm-eval {version()}" if folder else f"lm-eval {version()}"
        knows = "knows" if folder else "does not know"
        hint = (
            f"did you mean {' or '.join(near)}?" if near else "correct the name, or put its YAML into the task folder."
        )
        return f"{where[0].upper()}{where[1:]} {knows} a task {name!r}: {hint}"


def _read_from(manager: Any, datasets: DatasetFolder) -> None:
    """Let a task manager lead all tasks that it makes to the data sets on the volume."""
    as_defined = manager._factory._load_full_config
    manager._factory._load_full_config = lambda *given, **named: datasets.localized(as_defined(*given, **named))


def _leave_environment_alone() -> None:
    # After each task lm-eval asks pip, git and the drivers for what nobody reads here, which takes seconds.
    from lm_eval import evaluator

    evaluator.add_env_info = lambda results: None
    evaluator.get_git_commit_hash = lambda: None


def _result(name: str, raw: dict[str, Any], subtasks: bool) -> TaskResult:
    metrics = plain_metrics(raw["results"][name])
    listed = [one.get("metric", "") for one in raw["configs"].get(name, {}).get("metric_list") or []]
    samples = raw["n-samples"].get(name, {})
    better = raw["higher_is_better"].get(name) or {}
    parts = {one: plain_metrics(raw["results"][one]) for one in raw["results"] if one != name} if subtasks else {}
    main = main_metric(metrics, [one for one in listed if isinstance(one, str)])
    asked = raw["samples"]
    logged = [asked[one] for one in (sorted(asked) if subtasks else [name]) if one in asked]
    return TaskResult(
        name=name,
        metrics=metrics,
        main=main,
        questions=by_question(logged, main, metrics[main]) if main is not None else (),
        higher_is_better={metric: bool(value) for metric, value in better.items() if value is not None},
        version=raw["versions"].get(name),
        fewshot=raw["n-shot"].get(name),
        samples=samples.get("effective"),
        subtasks=parts,
    )
