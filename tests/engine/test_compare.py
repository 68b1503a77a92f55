"""Other models beside the run's own with the real lm-eval, and the report of them all."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.stage_runs import EXAMPLE, StageRun, make_models
from trainingrun_workers.contract import (
    EvaluatedModel,
    EvaluateSpec,
    EvaluationTask,
    ReportedCurve,
    ReportedModel,
    ReportSpec,
)

TASKS = (EvaluationTask("continuation_en", limit=12), EvaluationTask("continuation_it", limit=12),
         EvaluationTask("held_out_it", limit=4))  # fmt: skip
FOLDER = "artifacts/compare/aaaa"


@pytest.fixture(scope="module")
def models(engine_python: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A volume with the run's model, another one, and the quickstart's tasks."""
    volume = tmp_path_factory.mktemp("models")
    make_models(engine_python("lm-eval"), {volume / "models/own": 1, volume / "models/other": 2})
    shutil.copytree(EXAMPLE / "evaluation", volume / "evaluation")
    return volume


@pytest.fixture
def volume(models: Path, tmp_path: Path) -> Path:
    shutil.copytree(models, tmp_path / "volume", copy_function=shutil.copy2)
    return tmp_path / "volume"


@pytest.fixture
def compare(volume: Path, engine_python: Callable[[str], Path]) -> StageRun:
    return StageRun(engine_python("lm-eval"), "compare", volume, FOLDER)


def spec(*models: str, **changes: Any) -> EvaluateSpec:
    values: dict[str, Any] = {
        "models": tuple(EvaluatedModel(model, f"models/{model}") for model in models), "tasks": TASKS,
        "task_folder": "evaluation", "seed": 1234, "batch_size": 4, "cpu": True, "progression": False,
    }  # fmt: skip
    return EvaluateSpec(**(values | changes))


def copied(volume: Path, name: str, file: str, change: Callable[[Any], Any]) -> None:
    """Another copy of the other model, with one of its JSON files changed."""
    shutil.copytree(volume / "models/other", volume / "models" / name)
    path = volume / "models" / name / file
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def scores(compare: StageRun, model: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((compare.volume / compare.folder / f"{model}.json").read_text())
    return content


def test_a_model_is_scored_as_the_runs_own_are_and_once_for_all_runs(compare: StageRun) -> None:
    evaluate = StageRun(compare.python, "evaluate", compare.volume, "artifacts/evaluate/aaaa")
    evaluate.run(spec("other"))
    assert compare.run(spec("other")).reason == "Completed"
    own = json.loads((compare.volume / evaluate.folder / "other.json").read_text())
    assert scores(compare, "other")["tasks"] == own["tasks"]
    assert scores(compare, "other")["key"] == own["key"]
    kept = [
        json.loads((compare.volume / one.folder / "questions/other.json").read_text()) for one in (compare, evaluate)
    ]
    assert kept[0] == kept[1]
    assert kept[0]["scores"].keys() == {"continuation_en/acc", "continuation_it/acc"}, "bits a byte are of a whole text"
    for name, values in kept[0]["scores"].items():
        assert len(values) == 12
        assert sum(values) / 12 == pytest.approx(own["tasks"][name.removesuffix("/acc")]["acc"])
    before = (compare.volume / FOLDER / "other.json").stat().st_mtime_ns
    assert compare.run(spec("other")).reason == "Completed"
    assert (compare.volume / FOLDER / "other.json").stat().st_mtime_ns == before
    assert "Loading weights" not in compare.log()


def test_a_model_that_was_replaced_at_its_path_is_scored_anew(compare: StageRun) -> None:
    compare.run(spec("other"))
    before = scores(compare, "other")
    shutil.rmtree(compare.volume / "models/other")
    shutil.copytree(compare.volume / "models/own", compare.volume / "models/other", copy_function=shutil.copy)
    compare.run(spec("other"))
    assert scores(compare, "other")["tasks"] != before["tasks"]


def test_missing_and_torn_models_are_named_a_sentence_each_and_the_others_scores_stay(compare: StageRun) -> None:
    shutil.copytree(compare.volume / "models/other", compare.volume / "models/torn")
    weights = compare.volume / "models/torn/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    token = {"id": 4096, "content": "<extra>", "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": True}  # fmt: skip
    copied(compare.volume, "foreign", "tokenizer.json", lambda one: one["added_tokens"].append(token))
    result = compare.run(spec("missing", "torn", "foreign", "other"))
    assert (result.exit_code, result.reason) == (78, "ComparedModelUnusable")
    assert f"There is no model to compare with at {compare.volume}/models/missing: put its folder" in result.message
    assert f"The folder {compare.volume}/models/torn holds no model that transformers loads" in result.message
    assert "models/foreign has 4097 ids, but the model there only 4096" in result.message
    assert result.message.endswith("The scores of the other 1 comparison models are kept.")
    assert len(scores(compare, "other")["tasks"]) == 3


def test_a_context_that_is_too_short_costs_that_tasks_score_alone(compare: StageRun) -> None:
    copied(compare.volume, "short", "config.json", lambda one: one.update(max_position_embeddings=56))
    assert compare.run(spec("short")).reason == "Completed"
    document = scores(compare, "short")
    assert list(document["tasks"]) == ["held_out_it"], "texts that roll by in windows fit whatever their length"
    assert re.match(
        r"models/short has no score of continuation_en: \d+ of its texts are longer than the 56 tokens that the model "
        r"takes, the longest \d+\.",
        document["problems"][0],
    )
    assert compare.snapshot()["notes"] == document["problems"]


def test_the_report_has_every_model_every_curve_and_nothing_from_elsewhere(compare: StageRun) -> None:
    volume = compare.volume
    evaluate = StageRun(compare.python, "evaluate", volume, "artifacts/evaluate/aaaa")
    steps = (EvaluatedModel("step-00000000", "models/other", 0), EvaluatedModel("step-00000900", "models/own", 900))
    evaluate.run(spec(models=steps, progression=True))
    copied(volume, "short", "config.json", lambda one: one.update(max_position_embeddings=56))
    compare.run(spec("other", "short"))
    (volume / "pretrain").mkdir()
    line = {"loss": 5.0, "learningRate": 1e-3, "gradientNorm": None, "tokens": 10, "tokensPerSecond": 3.0}
    (volume / "pretrain/metrics.jsonl").write_text(
        "".join(json.dumps(line | {"step": step}) + "\n" for step in range(9))
    )
    report = StageRun(compare.python, "report", volume, "artifacts/report/aaaa")
    result = report.run(
        ReportSpec(
            name="tiny",
            models=(
                ReportedModel("tiny", "base", f"{evaluate.folder}/step-00000900.json", "models/own"),
                ReportedModel("other", "compared", f"{FOLDER}/other.json", "models/other"),
                ReportedModel("short", "compared", f"{FOLDER}/short.json", "models/short"),
            ),
            curves=(ReportedCurve("pretrain", "pretrain"), ReportedCurve("sft-none", "nowhere")),
            progression=evaluate.folder,
        )
    )
    assert (result.reason, result.output["models"], result.output["tasks"]) == ("Completed", 3, 3)
    check_report(volume / report.folder)


def check_report(folder: Path) -> None:
    content = json.loads((folder / "comparison.json").read_text())
    assert [model["name"] for model in content["models"]] == ["tiny", "other", "short"]
    assert set(content["models"][1]["differences"]) == {"continuation_en/acc", "continuation_it/acc"}
    assert all(one["paired"] for one in content["models"][1]["differences"].values())
    assert all(model["sameTokenizer"] for model in content["models"])
    text = (folder / "comparison.md").read_text()
    assert "| model | continuation_en acc ↑ | continuation_it acc ↑ | held_out_it bits_per_byte ↓ |" in text
    assert "models/short has no score of continuation_en" in text
    assert (folder / "comparison.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    page = (folder / "report.html").read_text()
    titles = re.findall(r"<h2>(.*?)</h2>", page)
    assert titles == ["Comparison by benchmark", "Comparison by language", "Scores by training step",
                      "Training: pretrain", "Training: sft-none"]  # fmt: skip
    assert page.count("<svg") == 1 + 1 + 1 + 3, "gradients that were not clipped have no curve"
    assert set(re.findall(r'"(?:https?:)?//[^"]+"', page)) <= {
        '"http://www.w3.org/2000/svg"',
        '"http://www.w3.org/1999/xlink"',
    }
    assert not re.search(r"<(script|img|link|iframe|object)\b|@import|url\((?!#)", page)


def test_a_report_without_the_base_models_scores_says_whose_are_missing(compare: StageRun) -> None:
    report = StageRun(compare.python, "report", compare.volume, "artifacts/report/aaaa")
    base = ReportedModel("tiny", "base", "artifacts/evaluate/aaaa/step-00000900.json", "models/own")
    result = report.run(ReportSpec("tiny", (base,), (), "artifacts/evaluate/aaaa"))
    assert (result.exit_code, result.reason) == (78, "EvaluationMissing")
    assert result.message.startswith("The scores of tiny in ")
