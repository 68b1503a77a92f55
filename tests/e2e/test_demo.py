"""What the demo left in out/quickstart is what was promised: run by `make demo-assert`, after the demo."""

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

OUT = Path(__file__).resolve().parents[2] / "out" / "quickstart"
MODELS = ("quickstart", "quickstart-translate", "quickstart-prefer")

pytestmark = pytest.mark.demo


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    return dict(json.loads((OUT / "demo.json").read_text()))


@pytest.fixture(scope="module")
def progression() -> dict[int, dict[str, float]]:
    """Scores by step, then by "task/metric"."""
    status = json.loads((OUT / "demo.json").read_text())["status"]
    return {one["step"]: one["scores"] for one in status["checkpoints"]}


def card(model: str) -> tuple[dict[str, Any], str]:
    text = (OUT / model / "README.md").read_text()
    match = re.match(r"---\n(.*?)\n---\n(.*)", text, re.DOTALL)
    assert match, f"The card of {model} has no metadata."
    return yaml.safe_load(match[1]), match[2]


def test_the_run_succeeded_and_every_stage_with_it(figures: dict[str, Any]) -> None:
    assert figures["status"]["phase"] == "Succeeded"
    assert {stage["phase"] for stage in figures["status"]["stages"]} == {"Succeeded"}


def test_the_card_names_the_engine_that_was_asked_for() -> None:
    _, text = card("quickstart")
    assert f"| engine | {os.environ.get('ENGINE') or 'nanotron'} " in text


def test_the_loss_fell(figures: dict[str, Any]) -> None:
    assert figures["firstLoss"] > 8
    assert figures["lastLoss"] < 6.5


def test_the_curve_has_each_logged_step_once() -> None:
    steps = [json.loads(line)["step"] for line in (OUT / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps))
    assert steps[-1] == 900


def test_at_least_three_checkpoints_were_evaluated(progression: dict[int, dict[str, float]]) -> None:
    assert sorted(progression) == [0, 300, 600, 900]
    assert all(scores for scores in progression.values())


@pytest.mark.parametrize("language", ["en", "it"])
def test_the_trained_model_beats_the_untrained_one_in_both_languages(
    language: str, progression: dict[int, dict[str, float]]
) -> None:
    first, last = progression[0], progression[900]
    accuracy = next(key for key in last if key.startswith(f"continuation_{language}/"))
    bits = next(key for key in last if key.startswith(f"held_out_{language}/"))
    assert last[accuracy] > first[accuracy] + 0.2
    assert last[bits] < first[bits] - 0.8


def test_checkpoints_were_evaluated_while_pretraining_went_on(figures: dict[str, Any]) -> None:
    stages = {stage["name"]: stage for stage in figures["status"]["stages"]}
    assert stages["evaluate"]["startedAt"] < stages["pretrain"]["finishedAt"]


@pytest.mark.parametrize("model", MODELS)
def test_a_released_folder_is_whole_and_its_checksums_hold(model: str) -> None:
    lines = (OUT / model / "checksums.sha256").read_text().splitlines()
    assert len(lines) >= 5
    for line in lines:
        digest, name = line.split(maxsplit=1)
        assert hashlib.sha256((OUT / model / name.lstrip("*")).read_bytes()).hexdigest() == digest, name
    for name in ("config.json", "model.safetensors", "tokenizer.json", "README.md", "LICENSE"):
        assert (OUT / model / name).stat().st_size > 0


@pytest.mark.parametrize("model", MODELS)
def test_a_cards_scores_are_the_evaluations(model: str, progression: dict[int, dict[str, float]]) -> None:
    metadata, text = card(model)
    results = metadata["model-index"][0]["results"]
    values = {metric["value"] for result in results for metric in result["metrics"]}
    if model == "quickstart":
        for value in progression[900].values():
            assert any(abs(value - one) < 1e-4 for one in values)
    assert values
    assert metadata["license"]
    assert {"en", "it"} <= set(metadata["language"])
    assert "CPU" in text, "A run that used the stand-ins has to say so."


@pytest.mark.parametrize("model", MODELS[1:])
def test_a_variant_says_which_model_it_was_made_from(model: str) -> None:
    metadata, text = card(model)
    assert "quickstart" in json.dumps(metadata) + text
    assert (
        "chat_template" in (OUT / model / "tokenizer_config.json").read_text()
        or (OUT / model / "chat_template.jinja").exists()
    )


def test_the_tuned_model_learnt_to_prefer_the_right_answers(figures: dict[str, Any]) -> None:
    stages = {stage["name"]: stage for stage in figures["status"]["stages"]}
    assert float(stages["dpo-prefer"]["output"]["loss"]) < float(stages["dpo-prefer"]["output"]["firstLoss"])


def test_the_fine_tuning_of_both_variants_was_done_once(figures: dict[str, Any]) -> None:
    stages = {stage["name"]: stage for stage in figures["status"]["stages"]}
    assert stages["sft-prefer"]["folder"] == stages["sft-translate"]["folder"]
    assert stages["sft-prefer"].get("attempt", 0) == 0


def test_the_progression_is_a_table_and_a_picture() -> None:
    assert "| 900 |" in (OUT / "progression.md").read_text().replace("  ", " ")
    assert (OUT / "progression.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_the_comparison_has_all_models_and_says_what_means_something() -> None:
    content = json.loads((OUT / "comparison.json").read_text())
    assert [model["name"] for model in content["models"]] == list(MODELS)
    base, *variants = content["models"]
    tested = {name for name in content["series"] if name in base["stderr"]}
    assert tested
    for variant in variants:
        assert set(base["scores"]) == set(variant["scores"]) == set(content["series"])
        assert set(variant["differences"]) == tested
    assert "| quickstart-translate |" in (OUT / "comparison.md").read_text()
    assert (OUT / "comparison.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_the_page_is_whole_in_itself_and_has_every_figure() -> None:
    page = (OUT / "report.html").read_text()
    assert re.findall(r"<h2>(.*?)</h2>", page) == [
        "Comparison by benchmark", "Comparison by language", "Scores by training step", "Training: pretrain",
        "Training: sft-translate", "Training: dpo-prefer",
    ]  # fmt: skip
    assert page.count("<svg") == 3 + 3 * 4
    assert not re.search(r"<(script|img|link|iframe|object)\b|@import|url\((?!#)", page)


def test_the_operator_stayed_small(figures: dict[str, Any]) -> None:
    assert figures["operatorResidentBytes"] < 150 * 2**20
    assert figures["apiWrites"] < 400
