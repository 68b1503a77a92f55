"""The text of the model card and what the hub's own library reads in it."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from trainingrun_workers.contract import ReleaseSpec
from trainingrun_workers.errors import BadConfig
from trainingrun_workers.release.card import CardFacts, Trial, card_text
from trainingrun_workers.release.licences import find_licence
from trainingrun_workers.release.scores import Score, Scores, evaluation_results, read_scores, score_table
from trainingrun_workers.release.stage import check_card, measured_provenance
from trainingrun_workers.volume import Volume, mark_complete

SCORES = Scores(
    "0.4.13",
    (
        Score("continuation_en", "acc", 0.1 + 0.2, 0.02, 0, 400),
        Score("held_out_it", "bits_per_byte", 2.5, None, None, None),
    ),
)
SPEC = ReleaseSpec(
    "m", "e", "step-00000900", "quickstart", None, "cc-by-sa-3.0", ("en", "it"), False, ("To install",), {}, True
)


def facts(spec: dict[str, Any] | None = None, **changes: Any) -> CardFacts:
    values: dict[str, Any] = {
        "spec": dataclasses.replace(SPEC, **(spec or {})), "licence": find_licence("cc-by-sa-3.0"),
        "model_type": "llama", "parameters": 1_138_048, "dtype": "bfloat16", "context": 256, "vocabulary": 4096,
        "new_tokens": 40, "scores": SCORES, "plot": True,
        "progression": "# Progression\n\n| step |\n| --- |\n| 900 |\n",
        "trials": (Trial("To install", "a package"),),
        "provenance": {"data": [{"name": "en", "path": "raw/en", "weight": 0.4, "measured": {"tokens": 1234}}]},
        "versions": {"torch": "2.13.0"},
    }  # fmt: skip
    return CardFacts(**(values | changes))


def test_the_hubs_library_reads_the_scores_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    file.write_text(card_text(facts()))
    check_card(file, SCORES)
    data = ModelCard.load(file).data
    assert [one.metric_value for one in data.eval_results] == [0.1 + 0.2, 2.5]
    assert (data.license, data.language, data.library_name) == ("cc-by-sa-3.0", ["en", "it"], "transformers")


def test_a_card_with_other_scores_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    file.write_text(card_text(facts()).replace("value: 2.5", "value: 2.4"))
    with pytest.raises(BadConfig, match="model-index"):
        check_card(file, SCORES)


def test_a_card_without_scores_has_no_model_index(tmp_path: Path) -> None:
    file = tmp_path / "README.md"
    text = card_text(facts(scores=None, progression=None, plot=False))
    file.write_text(text)
    check_card(file, None)
    assert "model-index" not in text
    assert "This model was not evaluated." in text
    assert "progression.png" not in text


def test_a_model_trained_without_gpus_says_so_before_anything_else() -> None:
    text = card_text(facts())
    assert text.index("**Trained on CPU.**") < text.index("A llama language model")
    assert "Trained on CPU" not in card_text(facts(spec={"cpu": False}))


def test_a_chat_model_names_its_base_and_is_asked_through_its_template() -> None:
    text = card_text(facts(spec={"chat": True, "base_name": "quickstart"}))
    assert "base_model: quickstart" in text
    assert "fine-tuned from quickstart" in text
    assert 'messages = [{"role": "user", "content": "To install"}]' in text


def test_the_usage_code_is_python_whatever_the_prompt() -> None:
    prompt = 'a "quoted"\nline \\ and {braces} – è'
    text = card_text(facts(spec={"prompts": (prompt,)}))
    code = text.split("```python\n")[1].split("```")[0]
    compile(code, "card", "exec")
    assert "{braces}" in code


def test_a_text_that_fences_itself_stays_inside_its_fence() -> None:
    text = card_text(facts(trials=(Trial("a *b*", "```\ncode\n```"),)))
    assert "````text\n```\ncode\n```\n````" in text
    assert r"**a \*b\***" in text


def test_progression_and_plot_are_shown_once() -> None:
    text = card_text(facts(progression="# P\n\n| 900 |\n\n![plot](progression.png)\n"))
    assert text.count("progression.png") == 1
    assert "# P\n" not in text.split("## Scores by training step")[1]


def test_the_data_are_shown_with_what_was_measured() -> None:
    assert "| en (`raw/en`) | 0.4 |  | 1,234 |" in card_text(facts())


def test_long_lists_are_cut_in_the_card() -> None:
    text = card_text(facts(provenance={"inputs": list(range(1000))}))
    assert "and 984 more: see provenance.json" in text
    assert "\n- 999" not in text


def test_provenance_is_completed_by_what_stages_left(tmp_path: Path) -> None:
    mark_complete(tmp_path / "tokens/en", {"tokens": 7})
    made = measured_provenance(
        {"data": [{"folder": "tokens/en"}], "pretrain": {"folder": "pretrain/x", "seed": 8}}, Volume(tmp_path)
    )
    assert made == {
        "data": [{"folder": "tokens/en", "measured": {"tokens": 7}}],
        "pretrain": {"folder": "pretrain/x", "seed": 8},
    }


def test_the_table_has_a_row_a_metric() -> None:
    assert score_table(SCORES).splitlines()[2:] == [
        "| continuation_en | 0 | 400 | acc | 0.3000 | 0.0200 |",
        "| held_out_it |  |  | bits_per_byte | 2.5000 |  |",
    ]


def test_scores_are_read_in_the_order_of_tasks_without_what_is_no_number(tmp_path: Path) -> None:
    document = {
        "harness": "0.4.13",
        "tasks": {"b": {"alias": "b", "acc": 1, "acc_stderr": "N/A", "f1": float("nan")}, "a": {"acc": 0.5}},
        "fewshot": {"b": 5},
        "samples": {"b": 10},
    }
    (tmp_path / "base.json").write_text(json.dumps(document))
    scores, _ = read_scores(tmp_path, "base")
    assert scores == Scores("0.4.13", (Score("b", "acc", 1.0, None, 5, 10), Score("a", "acc", 0.5, None, None, None)))
    assert evaluation_results(scores)[0].dataset_name == "b (5-shot)"


def test_a_metric_under_several_filters_is_a_score_each(tmp_path: Path) -> None:
    metrics = {"em,strict": 0.1, "em_stderr,strict": 0.01, "em,loose": 0.2, "em_stderr,loose": 0.02}
    (tmp_path / "base.json").write_text(json.dumps({"harness": "0.4.13", "tasks": {"a": metrics}}))
    scores, _ = read_scores(tmp_path, "base")
    assert [(one.metric, one.stderr) for one in scores.scores] == [("em,strict", 0.01), ("em,loose", 0.02)]
    assert {one.metric_type for one in evaluation_results(scores)} == {"em"}
    file = tmp_path / "README.md"
    file.write_text(card_text(facts(scores=scores)))
    check_card(file, scores)


@pytest.mark.parametrize("content", ["", "[]", '{"tasks": []}', "{}"])
def test_torn_scores_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "base.json").write_text(content)
    with pytest.raises(BadConfig) as caught:
        read_scores(tmp_path, "base")
    assert caught.value.reason == "EvaluationInvalid"


def test_missing_scores_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="no scores of 'base'"):
        read_scores(tmp_path, "base")
