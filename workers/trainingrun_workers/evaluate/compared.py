"""Runs a compare stage's pod: models of others are asked what the run's own are asked, in one process.

Their documents, as in `evaluate.results`, lie in a folder that is named by the questions, each under a name made of the
model's path, so that runs that ask the same share them. They have two keys besides::

    "fingerprint": of the model's files as they were, "problems": [a sentence for each task without a score]
"""

import hashlib
import json
import logging
import tempfile
from pathlib import Path
from typing import Any, Final

from trainingrun_workers.contract import EvaluatedModel, EvaluateSpec, ExitCode, Result, StageInput
from trainingrun_workers.errors import BadConfig
from trainingrun_workers.evaluate.questions import write_questions
from trainingrun_workers.evaluate.results import TaskResult, document, read_document
from trainingrun_workers.evaluate.stage import Evaluation, Tasks, quieten
from trainingrun_workers.reporting import Reporter
from trainingrun_workers.volume import Volume, make_folder, mark_complete, write_atomic

LOGGER: Final = logging.getLogger(__name__)
FILES: Final = ("*.json", "*.safetensors", "*.bin", "*.model", "*.txt", "*.jinja")  # of a model, that scores depend on


def run(stage_input: StageInput, volume: Volume, reporter: Reporter) -> Result:
    """Score the models that have no scores yet; yields {"models"}.

    A model that can't be loaded does not keep the others from being scored: BadConfig with a sentence for each comes
    after them.
    """
    spec: EvaluateSpec = stage_input.spec  # type: ignore[assignment]
    quieten(volume)
    folder = make_folder(volume.path(stage_input.folder))
    unusable: list[str] = []
    with tempfile.TemporaryDirectory(prefix="tasks-") as scratch:
        reporter.update(unit="tasks", total=len(spec.models) * len(spec.tasks), activity="reading the tasks")
        tasks = Tasks.prepare(spec, volume, Path(scratch))
        evaluation = Comparisons(spec, tasks, folder, reporter)
        for model in spec.models:
            try:
                evaluation.of(model, volume.path(model.folder))
            except BadConfig as error:
                if error.reason not in ("ModelMissing", "ModelInvalid", "TokenizerInvalid"):
                    raise
                LOGGER.warning("%s", error.message)
                unusable.append(error.message)
    done = len(spec.models) - len(unusable)
    if unusable:
        kept = f" The scores of the other {done} comparison models are kept." if done else ""
        raise BadConfig("ComparedModelUnusable", " ".join(unusable) + kept)
    mark_complete(folder, {"models": done})
    reporter.update(activity="done")
    return Result(
        int(ExitCode.DONE), "Completed", f"{done} models to compare with are scored.", output={"models": done}
    )


class Comparisons(Evaluation):
    """An evaluation in which a task that doesn't work out costs that task's score alone."""

    def of(self, model: EvaluatedModel, source: Path) -> dict[str, Any]:
        """The document of a model, made where it isn't there yet or where the model's files have changed since."""
        path, fingerprint = self._folder / f"{model.name}.json", fingerprint_of(source)
        known = read_document(path, self.key)
        if known is not None and known.get("fingerprint") == fingerprint:
            self._advance(len(self._spec.tasks))
            return known
        self._reporter.update(activity=f"loading {model.folder}")
        harness = self._loaded()
        loaded = harness.model(source)
        check_tokenizer(loaded, source)
        cut = count_cut(loaded)
        results: list[TaskResult] = []
        problems: list[str] = []
        for task in harness.tasks:
            name = task.request.name
            self._reporter.update(activity=f"evaluating {model.folder} on {name}")
            cut.clear()
            try:
                found = harness.evaluate_task(loaded, task)
            except BadConfig as error:
                problems.append(f"{model.folder} has no score of {name}: {error.message}")
            else:
                if cut:
                    problems.append(
                        f"{model.folder} has no score of {name}: {len(cut)} of its texts are longer than the "
                        f"{loaded.max_length} tokens that the model takes, the longest {max(cut)}."
                    )
                else:
                    results.extend(found)
            self._advance(1)
        self._reporter.update(notes=(*self._reporter.snapshot.notes, *problems))
        dtype = str(loaded.model.dtype).removeprefix("torch.")
        named = EvaluatedModel(model.folder, model.folder)
        content = document(named, self._spec, self._version, self.key, dtype, results)
        content |= {"fingerprint": fingerprint, "problems": problems}
        write_questions(path, self.key, results)
        write_atomic(path, json.dumps(content, indent=1) + "\n")
        return content


def fingerprint_of(folder: Path) -> str:
    """A digest of names, sizes and times of a model's files; BadConfig where there is no model."""
    if not (folder / "config.json").is_file():
        raise BadConfig(
            "ModelMissing",
            f"There is no model to compare with at {folder}: put its folder on the volume or correct its path in "
            "spec.evaluate.compareWith.",
        )
    files = sorted({file for pattern in FILES for file in folder.glob(pattern) if file.is_file()})
    told = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def check_tokenizer(loaded: Any, folder: Path) -> None:
    """BadConfig where a tokenizer has ids that its model does not know."""
    ids, rows = len(loaded.tokenizer), loaded.model.get_input_embeddings().weight.shape[0]
    if ids > rows:
        raise BadConfig(
            "ModelInvalid",
            f"The tokenizer in {folder} has {ids} ids, but the model there only {rows}: put the model's own tokenizer "
            "there.",
        )


def count_cut(model: Any) -> list[int]:
    """A list that gets the length, in tokens, of each text that the harness cuts because the model's context is short.

    lm-eval drops what is too long from the left, with a line in the log: another question than the others were asked.
    """
    cut: list[int] = []
    score, generate = model._loglikelihood_tokens, model.tok_batch_encode

    def scored(requests: Any, *arguments: Any, **options: Any) -> Any:
        lengths = [len(context) + len(continuation) for _, context, continuation in requests]
        cut.extend(length for length in lengths if length > model.max_length + 1)
        return score(requests, *arguments, **options)

    def encoded(strings: Any, *arguments: Any, **options: Any) -> Any:
        room = options.get("left_truncate_len")
        if room is not None:
            cut.extend(length for one in strings if (length := len(model.tok_encode(one))) > room)
        return generate(strings, *arguments, **options)

    model._loglikelihood_tokens, model.tok_batch_encode = scored, encoded
    return cut
