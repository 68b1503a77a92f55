"""The evaluate stage with the real lm-eval: batches, kills, edited data, few-shot prompts, and what it refuses."""

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.pretrain_runs import wait_until
from engine.stage_runs import EXAMPLE, StageRun, make_models
from trainingrun_workers.contract import EvaluatedModel, EvaluateSpec, EvaluationTask

TASKS = (EvaluationTask("continuation_en", limit=6), EvaluationTask("held_out_it", limit=4))
STEPS = (0, 900)


@pytest.fixture(scope="module")
def models(engine_python: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A volume with two models and the quickstart's tasks."""
    volume = tmp_path_factory.mktemp("models")
    make_models(engine_python("lm-eval"), {volume / f"models/{step}": step for step in STEPS})
    shutil.copytree(EXAMPLE / "evaluation", volume / "evaluation")
    return volume


@pytest.fixture
def volume(models: Path, tmp_path: Path) -> Path:
    shutil.copytree(models, tmp_path / "volume")
    return tmp_path / "volume"


@pytest.fixture
def stage(volume: Path, engine_python: Callable[[str], Path]) -> StageRun:
    return StageRun(engine_python("lm-eval"), "evaluate", volume, "artifacts/evaluate/aaaa")


def spec(*steps: int, **changes: Any) -> EvaluateSpec:
    values: dict[str, Any] = {
        "models": tuple(EvaluatedModel(f"step-{step:08d}", f"models/{step}", step) for step in steps),
        "tasks": TASKS, "task_folder": "evaluation", "seed": 1234, "batch_size": 4, "cpu": True, "progression": True,
    }  # fmt: skip
    return EvaluateSpec(**(values | changes))


def scores(stage: StageRun, step: int) -> dict[str, dict[str, float]]:
    document = json.loads((stage.volume / stage.folder / f"step-{step:08d}.json").read_text())
    tasks: dict[str, dict[str, float]] = document["tasks"]
    return tasks


def write_task(volume: Path, name: str, **keys: Any) -> None:
    """A task of four questions with the answer in their text, whose YAML names its data relatively."""
    folder = volume / "evaluation/own"
    folder.mkdir(exist_ok=True)
    rows = [{"text": f"The number {i} is", "choices": ["even", "odd"], "answer": i % 2} for i in range(4)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = {
        "task": name, "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": "rows.jsonl"}},
        "test_split": "test", "fewshot_split": "test", "output_type": "multiple_choice", "doc_to_text": "{{text}}",
        "doc_to_choice": "{{choices}}", "doc_to_target": "{{answer}}", "metric_list": [{"metric": "acc"}], **keys,
    }  # fmt: skip
    (folder / f"{name}.yaml").write_text(json.dumps(task))


def test_a_batch_scores_as_one_by_one(stage: StageRun) -> None:
    assert stage.run(spec(0, 900)).reason == "Completed"
    alone = StageRun(stage.python, "evaluate", stage.volume, "artifacts/evaluate/bbbb")
    result = alone.run(spec(900))
    assert list(result.output["models"]) == ["step-00000900"]
    assert list(result.output["models"]["step-00000900"]["scores"]) == [
        "continuation_en/acc", "held_out_it/bits_per_byte",
    ]  # fmt: skip
    assert scores(stage, 900) == scores(alone, 900)
    assert scores(stage, 900) != scores(stage, 0)


def test_a_stopped_batch_goes_on_behind_the_models_that_are_done(stage: StageRun) -> None:
    first = stage.volume / stage.folder / "step-00000000.json"
    pod = stage.start(spec(0, 900))
    wait_until(first.is_file, 120)
    pod.process.send_signal(signal.SIGTERM)
    result = pod.wait(60)
    assert (result.exit_code, result.reason) == (143, "Preempted")
    assert not (stage.volume / stage.folder / "step-00000900.json").exists()
    before = first.stat().st_mtime_ns
    assert stage.run(spec(0, 900)).reason == "Completed"
    assert first.stat().st_mtime_ns == before
    snapshot = stage.snapshot()
    assert (snapshot["step"], snapshot["total"], snapshot["unit"]) == (4, 4, "tasks")
    check_progression(stage.volume / stage.folder)


def check_progression(folder: Path) -> None:
    content = json.loads((folder / "progression.json").read_text())
    assert [one["step"] for one in content["steps"]] == [0, 900]
    assert list(content["series"]) == ["continuation_en/acc", "held_out_it/bits_per_byte"]
    table = (folder / "progression.md").read_text()
    assert "continuation_en acc ↑ | held_out_it bits_per_byte ↓" in table
    assert "| 900 |" in table
    assert (folder / "progression.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_edited_task_data_are_scored_anew_and_old_scores_leave_the_progression(stage: StageRun) -> None:
    tasks = (EvaluationTask("held_out_it", limit=4),)
    stage.run(spec(0, 900, tasks=tasks))
    before = scores(stage, 900)
    data = stage.volume / "evaluation/held_out_it.jsonl"
    data.write_text("".join(reversed(data.read_text().splitlines(keepends=True))))
    stage.run(spec(900, tasks=tasks))
    assert scores(stage, 900) != before
    content = json.loads((stage.volume / stage.folder / "progression.json").read_text())
    assert [one["step"] for one in content["steps"]] == [900], "scores of other questions can't be compared"


def test_few_shot_examples_and_limits_are_used_and_data_lie_beside_their_task(stage: StageRun) -> None:
    write_task(stage.volume, "parity")
    write_task(stage.volume, "parity_shots")
    write_task(stage.volume, "parity_fixed", num_fewshot=0)
    tasks = (
        EvaluationTask("parity", fewshot=0),
        EvaluationTask("parity_shots", fewshot=2, limit=3),
        EvaluationTask("parity_fixed", fewshot=2),
    )
    assert stage.run(spec(0, tasks=tasks)).reason == "Completed"
    document = json.loads((stage.volume / stage.folder / "step-00000000.json").read_text())
    assert document["fewshot"] == {"parity": 0, "parity_shots": 2, "parity_fixed": 0}
    assert document["samples"] == {"parity": 4, "parity_shots": 3, "parity_fixed": 4}
    assert stage.snapshot()["notes"] == ["Task parity_fixed is scored 0-shot, not 2-shot: its definition fixes that."]
    assert document["harness"] == "0.4.13"


def test_an_unknown_task_is_refused_with_near_names(stage: StageRun) -> None:
    result = stage.run(spec(0, tasks=(EvaluationTask("continuation_eng"),)))
    assert (result.exit_code, result.reason) == (78, "TaskUnknown")
    assert "did you mean continuation_en" in result.message


def test_missing_task_data_are_named(stage: StageRun) -> None:
    (stage.volume / "evaluation/held_out_it.jsonl").unlink()
    result = stage.run(spec(0))
    assert (result.exit_code, result.reason) == (65, "TaskDataMissing")
    assert "evaluation/held_out_it.jsonl" in result.message


def test_a_missing_model_is_named(stage: StageRun) -> None:
    result = stage.run(spec(77))
    assert (result.exit_code, result.reason) == (78, "ModelMissing")
    assert "models/77" in result.message
